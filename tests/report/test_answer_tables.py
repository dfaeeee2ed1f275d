from __future__ import annotations

from dataclasses import replace

from kit.analysis.databases import Allowed
from kit.answer.model import Answer, answer
from kit.report import answer_tables as tables
from kit.report.timeline import ANSWER_LANES, answer_timeline
from tests.report.test_timeline import TEST, of_one_test


def of(side: str, allowed: str = "*kit-test*") -> Answer:
    """The answer to a run of one test that was answered by `side`."""
    return answer(of_one_test(side), Allowed((allowed,), "/project"))


def test_a_test_that_reached_what_is_not_allowed_is_marked() -> None:
    """Each test has a row, and the row says whether it was where it should not have been."""
    for side, wrong in (("test", False), ("production", True)):
        assert tables.each_test(of(side))["wrong"].to_dict() == {TEST: wrong}


def test_tests_that_went_the_same_way_share_a_row() -> None:
    """A way to a database is told once, with the number of tests that took it."""
    evidence = of_one_test("production")
    other = [replace(use, test="tests/test_api_sites.py::test_other") for use in evidence.uses]
    found = answer(replace(evidence, uses=(*evidence.uses, *other)), Allowed(("*kit-test*",), "/project"))
    (row,) = tables.reached(found).to_dict("records")
    assert (row["allowed"], row["tests"]) == (False, 2)


def test_the_picture_leads_to_the_lane_of_what_is_not_allowed() -> None:
    """The timeline of an answer ends with the database, in the lane that says whether it may be reached."""
    axes = answer_timeline(of("production")).figure.axes[0]
    assert axes.get_title(loc="left") == TEST
    (line,) = [line for line in axes.lines if len(line.get_xdata())]
    assert ANSWER_LANES[list(line.get_xdata())[-1]] == "not allowed"
    assert "answers" in answer_timeline(of("test")).words
