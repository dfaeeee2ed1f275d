from __future__ import annotations

from dataclasses import replace

from kit.analysis.databases import Allowed
from kit.answer.model import Answer, answer
from kit.answer.timeline import Step, is_of_a_leak, subject, timeline
from kit.evidence.model import Evidence, Override, Refusal, Variable
from tests.evidences import answered_by
from tests.report.test_timeline import TEST, of_one_test

OTHER = "tests/test_api_sites.py::test_other"


def steps(evidence: Evidence, *allow: str) -> tuple[Step, ...]:
    found = judged(evidence, *allow)
    return timeline(found, subject(found))


def judged(evidence: Evidence, *allow: str) -> Answer:
    return answer(evidence, Allowed(allow or ("*kit-test*",), "/project"))


def override(at_s: float, op: str, test: str | None) -> Override:
    return Override(at_s=at_s, stack=0, test=test, op=op, app="a1", key="d1", by="d2" if op == "set" else None)


def test_a_step_says_in_few_words_which_database_it_names() -> None:
    """Variable, engine and answer name one database by one name, without its URL, which is in the whole sentence."""
    found = steps(of_one_test("production"))
    assert [(step.lane, step.said) for step in found] == [
        ("variable", "INTEGRATION_DATABASE_URL was there at the start"),
        ("variable", "INTEGRATION_DATABASE_URL was read"),
        ("engine", "engine e1 made from INTEGRATION_DATABASE_URL"),
        ("override", "override of d1 set to d2"),
        ("request", "GET /sites"),
        ("database", "kit-production answers (not allowed), without a dependency, on engine e1"),
    ]
    assert {step.named.name for step in found if step.named is not None} == {"kit-production"}
    assert found[0].what.endswith(": postgresql://u:***@h/db")


def test_a_value_that_names_no_database_is_in_the_words() -> None:
    """A part of a URL, such as the name of a database, is shown as it is."""
    evidence = of_one_test("production")
    part = Variable(at_s=0.0, op="inherited", name="INTEGRATION_DATABASE_URL", value="shop")
    [first, *_] = steps(replace(evidence, variables=(part, *evidence.variables[1:])))
    assert (first.said, first.named) == ("INTEGRATION_DATABASE_URL was there at the start: shop", None)


def test_a_variable_that_is_set_too_late_says_to_what() -> None:
    """The database that the tests wanted is named, although nothing reached it."""
    evidence = of_one_test("production")
    late = Variable(at_s=0.15, stack=0, op="set", name="INTEGRATION_DATABASE_URL", test=TEST,
                    value="postgresql://u:***@h/wanted")
    [found] = [step for step in steps(replace(evidence, variables=(*evidence.variables, late)))
               if "too late" in step.said]
    assert found.named is not None
    assert (found.named.whole, found.named.note) == ("h:5432/wanted", "not reached in this run")
    assert found.what.endswith("too late for engine e1: postgresql://u:***@h/wanted")


def test_what_another_test_took_back_is_not_told() -> None:
    """An override that each earlier test sets and removes is no step of this one; one that is left is."""
    evidence = of_one_test("production")
    own = evidence.overrides[0]
    back = (override(0.11, "set", OTHER), override(0.12, "removed", OTHER))
    for before, told in ((back, 1), (back[:1], 2), ((override(0.05, "set", None), back[1]), 3)):
        found = steps(replace(evidence, overrides=(*before, own)))
        assert len([step for step in found if step.lane == "override"]) == told, before


def test_the_application_is_named_where_there_are_two() -> None:
    """An override of one application and the request to another one are told apart."""
    evidence = of_one_test("production")
    there = replace(evidence, overrides=tuple(replace(one, app="a2") for one in evidence.overrides))
    said = [step.said for step in steps(there)]
    assert {"override of d1 set to d2 on app a2", "GET /sites to app a1"} <= {*said}


def test_a_request_has_the_judgement_of_what_it_reached() -> None:
    """Its arrow has the colour of the database; a request that reached two with different judgements has none."""
    evidence = of_one_test("production")
    [connection], [use] = evidence.connections, evidence.uses
    other = replace(connection, connection="c2", observed=answered_by("test").connections[0].observed)
    both = replace(evidence, connections=(connection, other), uses=(use, replace(use, connection="c2")))
    for given, allowed in ((evidence, False), (of_one_test("test"), True), (both, None)):
        [request] = [step for step in steps(given) if step.lane == "request"]
        assert request.allowed is allowed


def test_a_refused_connection_did_not_answer() -> None:
    """What the guard refused is told as refused."""
    evidence = of_one_test("production")
    refusal = Refusal(at_s=0.3, stack=0, test=TEST, database="h:5432/db", entry="h:5432/db", connection="c1",
                      engine="e1", request="r1")
    found = steps(replace(evidence, uses=(), refusals=(refusal,)))
    assert found[-1].said == "kit-production refused (not allowed), without a dependency, on engine e1"
    assert "refused" in found[-1].what


def test_a_database_that_is_allowed_is_no_leak() -> None:
    """A timeline can be about a test's first database, which is not a wrong one."""
    for side, leak in (("production", True), ("test", False)):
        found = judged(of_one_test(side))
        about = subject(found)
        assert about is not None
        assert is_of_a_leak(found, about) is leak
