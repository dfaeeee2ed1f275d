"""Tables in a notebook: which way columns are aligned, what is shown of each value."""

from __future__ import annotations

import re

import pandas
import pytest

from kit.report.frames import html, scrolled


def cells(frame: pandas.DataFrame) -> list[str]:
    return re.findall(r"<td>(.*?)</td>", html(frame))


def test_numbers_end_at_the_right_and_all_else_begins_at_the_left() -> None:
    """The rule for numbers names their columns, also where one value is missing; truth values are no numbers."""
    frame = pandas.DataFrame({"text": ["a", "b"], "count": [1, None], "agree": [True, False], "s": [0.5, 12.25]})
    assert re.findall(r"nth-child\((\d+)\) \{ text-align: right", html(frame)) == ["3", "5"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([731, None], ["731", ""]),
        ([731.0, float("nan")], ["731", ""]),
        ([0.5, 12.25], ["0.5", "12.25"]),
        (["a <b>", None], ["a &lt;b&gt;", ""]),
        ([True, False], ["True", "False"]),
        (["one\ntwo <b>", "three"], ["one<br>two &lt;b&gt;", "three"]),
    ],
)
def test_each_value_is_shown_as_it_was_meant(values: list[object], shown: list[str]) -> None:
    """A whole number stays whole though another is missing, lines end, what is missing is empty, no text is markup."""
    assert cells(pandas.DataFrame({"column": values})) == shown


def test_rows_of_one_name_are_a_table_like_any_other() -> None:
    """Rows are named by what was run, so that names come twice."""
    frame = pandas.DataFrame({"server": ["test", "production"]}, index=["the suite", "the suite"])
    assert cells(frame) == ["test", "production"]


def test_what_has_levels_is_shown_as_pandas_shows_it() -> None:
    """A table of several levels has no column that a rule could count."""
    frame = pandas.DataFrame({("a", "b"): [1]})
    assert html(frame) == scrolled(str(frame._repr_html_()))
