"""Whether a run was guarded stands in every form of the answer; what was refused is a fact of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kit.analysis.databases import Allowed
from kit.analysis.stopped import BY_NOBODY, BY_PYTEST, BY_STOP
from kit.answer.diagnosis import Status
from kit.answer.model import Answer, answer, contract, describe_no_findings
from kit.diagnosing.conclusion import describe_symptom, nothing_wrong
from kit.diagnosing.judge import symptoms_of
from kit.evidence.model import Evidence, Outcome, Refusal
from kit.report import diagnosis_text
from kit.report.answer_page import page
from kit.report.answer_text import github, text
from tests.analysis.seen_runs import BY_OPENER, PRODUCTION, leak

TEST = "tests/test_it.py::test_it"
SAID = {
    BY_NOBODY: "This run was not guarded", BY_PYTEST: "guarded by pytest's --db-guard alone",
    BY_STOP: "This run was guarded (--stop)",
}  # fmt: skip


def stopped(**fields: object) -> Evidence:
    """The run of `leak`, stopped at production: a connection, and no use of it."""
    refusal = Refusal(**{
        "at_s": 9.0, "stack": BY_OPENER, "phase": "call", "test": TEST, "database": "prod.db", "entry": "prod.db",
        "done": "It was not opened.", "connection": "c1", "engine": "e1", **fields,
    })  # type: ignore[arg-type] # fmt: skip
    failed = Outcome(at_s=9.5, test=TEST, when="call", outcome="failed")
    return replace(leak(), uses=(), refusals=(refusal,), outcomes=(failed,), guard=BY_STOP)


def asked(evidence: Evidence) -> Answer:
    return answer(evidence, Allowed(("test.db",), "/project"), "/project")


@pytest.mark.parametrize("guard", SAID)
def test_whether_a_run_was_guarded_is_said_in_every_form(guard: str) -> None:
    """Text, page, JSON and annotations, and the text of a diagnosis, say whether anything was kept from databases."""
    found = asked(replace(leak(), guard=guard))
    told = diagnosis_text.text(found, nothing_wrong(found), 1000)
    shown = page(found).replace("&#39;", "'")
    for said in (text(found, 1000), shown, json.dumps(contract(found)), github(found), told):
        assert SAID[guard] in said
    assert contract(found)["guard"]["by"] == guard


def test_a_refused_connection_is_a_fact_of_the_answer() -> None:
    """Which test asked for which database, at which line, by which engine; and that outcomes may differ for it."""
    found = asked(stopped())
    (refused,) = contract(found)["refused"]
    assert (refused["test"], refused["database"], refused["allow"]) == (TEST, "prod.db", "prod.db")
    assert (refused["file"], refused["line"]) == ("app/db.py", 9)
    (opened,) = contract(found)["databases"][0]["opened"]
    assert (opened["engine"], opened["refused"]) == ("e1", True)
    said = text(found, 1000)
    assert "0 databases reached, 1 refused; 0 of 1 test reached one." in said
    assert "1 connection refused, in 1 test. The outcomes of tests may differ" in said
    assert "1 test with a refused connection failed" in said
    assert f"app/db.py:9 get_db in {TEST}, once, refused" in said
    assert "Refused: prod.db" in page(found)


def test_what_leads_to_a_refused_connection_is_found_as_what_leads_to_one_that_was_made() -> None:
    """The findings are those of the run that went through."""
    assert [one.kind for one in asked(stopped()).findings] == [one.kind for one in asked(leak()).findings]


def test_a_symptom_that_was_refused_is_said_as_such() -> None:
    """It was asked for, and nothing reached it."""
    (symptom,) = symptoms_of(asked(stopped()))
    assert describe_symptom(symptom) == "prod.db was requested, and refused, in 1 test"
    assert PRODUCTION in next(iter(symptom.wrong))


def test_a_refused_program_is_said_and_the_run_is_not_clean() -> None:
    """A client or a driver that was refused has no connection of its own, and is told all the same."""
    refusal = replace(
        stopped().refusals[0], connection=None, engine=None, database="a database through psql", entry="",
        because="and the guard cannot tell which one: it is secret",
    )  # fmt: skip
    found = asked(Evidence(refusals=(refusal,), stacks=leak().stacks, guard=BY_STOP, outcomes=(
        Outcome(at_s=9.5, test=TEST, when="call", outcome="passed"),
    )))  # fmt: skip
    sentence = "a database through psql, and the guard cannot tell which one: it is secret (requested at app/db.py:9 "
    assert describe_no_findings(found).startswith(f"Refused: {sentence}")
    assert sentence in text(found, 1000)
    assert "a database through psql" in page(found)
    diagnosis = nothing_wrong(found)
    assert diagnosis.status is Status.UNRESOLVED
    assert any(sentence in one for one in diagnosis.unproved)
