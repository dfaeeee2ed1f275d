from __future__ import annotations

import re

import pytest

from kit.report.suspects import Tried, suspects_drawing

BLIND, TELLS, GUILTY = ("clears", "clears"), ("accuses", "clears"), ("accuses", "accuses")


@pytest.mark.parametrize(("guilty", "reported", "so"), [
    ("clears", "clears", "nothing: blind"),
    ("clears", "accuses", "nothing: blind"),
    ("accuses", "clears", "innocent"),
    ("accuses", "accuses", "guilty"),
    ("accuses", "wavers on", "nothing: undecided"),
    ("cannot judge", "clears", "nothing: undecided"),
])
def test_what_follows_depends_first_on_the_guilty_project(guilty: str, reported: str, so: str) -> None:
    """A check that clears the guilty one, or that decides nothing there, says nothing of the reported one."""
    assert Tried("a check", guilty, reported).so == so


def test_the_title_counts_the_blind_and_names_the_guilty() -> None:
    """The first check of each suspect is the one under test; any that can tell may accuse."""
    drawn = suspects_drawing({"variables": {"old": BLIND, "new": GUILTY}, "app": {"old": TELLS, "new": TELLS}})
    assert drawn.title == (
        "1 of 2 checks clear a project in which their own suspect is guilty: variables. "
        "Guilty in the reported project: variables."
    )
    none = suspects_drawing({"app": {"old": TELLS, "new": TELLS}})
    assert none.title == (
        "0 of 1 checks clear a project in which their own suspect is guilty. "
        "Guilty in the reported project: none of them."
    )


def test_each_cell_has_a_mark_and_a_word() -> None:
    """Whoever sees no colour reads the same; what makes a check blind, or a suspect guilty, stands out."""
    html = suspects_drawing({"variables": {"old": BLIND, "new": GUILTY}}).html
    cells = re.findall(r"<td(?: class=\"([^\"]*)\")?>([^<]+)</td>", html)
    assert cells == [
        ("kd-said kd-struck", "□ clears"), ("kd-said", "□ clears"), ("kd-struck", "nothing: blind"),
        ("kd-said", "■ accuses"), ("kd-said kd-struck", "■ accuses"), ("kd-struck", "guilty"),
    ]
    drawn = suspects_drawing({"variables": {"old": BLIND}})
    assert drawn.words == (
        "variables. old: the guilty project: clears; the reported one: clears; follows: nothing: blind."
    )
