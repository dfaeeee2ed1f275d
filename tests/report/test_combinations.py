"""The drawing of all combinations: each of them is a cell, and its title says what the cells show."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from kit.report.combinations import combinations_drawing
from kit.specimens.trial import subsets
from tests.report.test_timeline import HOSTILE, Texts

WAYS, ROADS = ["global_engine", "second_app"], ["ci_variable", "warm_pool"]
Fails = Callable[[frozenset[str]], bool]


def table(fails: Fails) -> dict[frozenset[str], bool]:
    return {frozenset(on): fails(frozenset(on)) for on in subsets([*WAYS, *ROADS])}


def both(on: frozenset[str]) -> bool:
    return bool(on & {*WAYS}) and bool(on & {*ROADS})


def drawn(**attempts: Fails) -> tuple[str, str, str]:
    shown = combinations_drawing({"the suite": {name: table(fails) for name, fails in attempts.items()}}, WAYS, ROADS)
    return shown.title, shown.words, shown.html


@pytest.mark.parametrize(("fails", "title"), [
    (both, "With it a run fails only where a way past the override meets a road to production."),
    (lambda on: bool(on & {*ROADS}), "With it a road to production alone is enough."),
    (lambda on: bool(on & {*WAYS}), "With it one of the two is enough."),
    (lambda on: True, "With it a run fails with neither."),
    (lambda on: False, "With it no combination fails."),
])
def test_the_title_is_what_the_cells_show(fails: Fails, title: str) -> None:
    """Each finding is read from the tables, so that other trials have another title."""
    assert drawn(it=fails)[0] == title


def test_attempts_of_one_finding_are_named_together() -> None:
    """The title has one sentence for each finding, however many attempts share it."""
    title, _, _ = drawn(one=both, two=both, fix=lambda on: False)
    assert title == (
        "With one or two a run fails only where a way past the override meets a road to production. "
        "With fix no combination fails."
    )


def test_each_combination_is_a_cell_and_a_failing_one_is_crossed() -> None:
    """None is left out, and what fails can be told without colour."""
    _, _, html = drawn(it=both, none=lambda on: bool(on & {*ROADS}))
    assert "the suite: 21 of 32 fail" in html
    paths = {name: "".join(re.findall(rf'<path class="{name}" d="([^"]*)"/>\s*<path|<path class="{name}" d="([^"]*)"/>',
                                      html.partition('kd-panels"')[2])[0]) for name in ("kd-holds", "kd-fails")}
    assert {name: path.count("z") for name, path in paths.items()} == {"kd-holds": 11, "kd-fails": 21}
    [crosses] = re.findall(r'kd-crosses" d="([^"]*)"', html.partition('kd-panels"')[2])
    assert crosses.count("M") == 21


def test_the_words_say_of_each_row_with_which_roads_it_fails() -> None:
    """Who does not see the cells reads the condition of each row."""
    _, words, html = drawn(it=lambda on: "global_engine" in on and "ci_variable" in on)
    assert words == (
        "the suite.\n  it fails. no way past: never; global_engine: ci_variable; second_app: never; "
        "global_engine + second_app: ci_variable"
    )
    assert words.splitlines()[1] in html


def test_a_design_without_ways_or_roads_is_drawn_too() -> None:
    """A reader may leave suspects out: what is left is one row, or one column."""
    shown = combinations_drawing({"it": {"a": {frozenset(): False, frozenset({"x"}): True}}}, [], ["x"])
    assert "no way past: x" in shown.words
    shown = combinations_drawing({"it": {"a": {frozenset(): True, frozenset({"x"}): True}}}, ["x"], [])
    assert "no way past: always; x: always" in shown.words


def test_the_figure_has_a_name_and_no_text_of_it_is_markup() -> None:
    """The figure is named by its title, cells are hidden from who does not see them, names stay text."""
    shown = combinations_drawing({HOSTILE: {"it": {frozenset(): True}}}, [], [])
    page = Texts(shown.html)
    [figure] = [given for tag, given in page.elements if tag == "figure"]
    assert (figure["role"], figure["aria-label"]) == ("group", shown.title)
    assert all(given["aria-hidden"] == "true" for tag, given in page.elements if tag == "svg")
    assert not [tag for tag, _ in page.elements if tag in ("script", "b", "img")]
