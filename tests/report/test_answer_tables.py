from __future__ import annotations

from dataclasses import replace

from kit.analysis.databases import Allowed
from kit.answer.model import Answer, answer
from kit.report import answer_tables as tables
from kit.report.timeline import answer_panel, answer_timeline
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


def test_the_drawing_leads_to_the_database_that_is_not_allowed() -> None:
    """The timeline of an answer ends with the database and with whether it may be reached; e1 leads to the request."""
    for side, judged in (("production", "not allowed"), ("test", "allowed")):
        rows = answer_panel(of(side), TEST, lambda _: "").rows
        assert (rows[-1].lane, rows[-1].side) == ("answer", judged)
        assert [(row.lane, row.uses) for row in rows if row.uses] == [("request", ("e1",))]
        shown = answer_timeline(of(side))
        assert f"on engine e1 ({judged})." in shown.title
        assert f"answer: {rows[-1].text}" in shown.words


def test_the_drawing_has_the_lines_of_the_project() -> None:
    """Each place shows the code that is given for it."""
    shown = answer_timeline(of("production"), lambda frame: f"code of {frame.line}")
    assert 'aria-label="app/routers/sites.py:20: code of 20"' in shown.html
