"""Two runs side by side: which steps are the same, where they part, who answered each request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.evidence.model import Evidence, Frame, Outcome, Variable
from kit.notebooks.board.comparing import Comparison, compare, requests, step_in_words
from kit.specimens.trial import INDIVIDUAL_TEST
from tests.evidences import answered_by

OTHER_TEST = "tests/test_api_sites.py::test_get_site"


def run(side: str, variable: str = "DATABASE_URL", test: str = INDIVIDUAL_TEST, line: int = 20) -> Evidence:
    """One test: a variable that was there, an engine made from it, a request that a server answered."""
    evidence = answered_by(side)
    return replace(
        evidence,
        stacks=((Frame("app/crud.py", line, "list_sites"),), (Frame("app/database.py", line, "<module>"),)),
        variables=(Variable(at_s=0.0, op="inherited", name=variable, value="postgresql://u:***@h/db"),),
        engines=tuple(replace(engine, stack=1, variables=(variable,)) for engine in evidence.engines),
        requests=tuple(replace(request, test=test) for request in evidence.requests),
        uses=tuple(replace(use, test=test) for use in evidence.uses),
        outcomes=(Outcome(test=test, when="call", outcome="passed", at_s=0.4),),
    )


def joined(one: Evidence, other: Evidence) -> Evidence:
    """One run of two tests, each with a request of its own."""
    return replace(
        one,
        stacks=one.stacks + other.stacks,
        engines=(*one.engines, *(replace(engine, engine="e2", stack=3) for engine in other.engines)),
        connections=(*one.connections, *(replace(c, connection="c2", engine="e2") for c in other.connections)),
        requests=(*one.requests, *(replace(request, number="r2") for request in other.requests)),
        uses=(*one.uses, *(replace(u, connection="c2", engine="e2", request="r2") for u in other.uses)),
        outcomes=one.outcomes + other.outcomes,
        variables=one.variables + other.variables,
    )


def shape(comparison: Comparison) -> list[tuple[str, str]]:
    return [(row.this.lane if row.this else "", row.other.lane if row.other else "") for row in comparison.rows]


def test_two_runs_of_the_same_project_take_the_same_steps() -> None:
    """Nothing parts them, also where a change of the project has moved the lines."""
    found = compare(run("test"), run("test", line=90))
    assert found.parted is None
    assert all(row.same for row in found.rows)
    assert shape(found) == [(lane, lane) for lane in ("variable", "engine", "request", "test")]


def test_they_part_at_the_first_step_that_only_one_takes() -> None:
    """Another variable is where two runs part, and not the server that answers in the end."""
    found = compare(run("production", "INTEGRATION_DATABASE_URL"), run("test"))
    assert found.parted == 0
    assert [row.same for row in found.rows] == [False, False, True, False]
    assert shape(found)[-1] == ("production", "test")


def test_an_engine_that_leads_elsewhere_parts_them() -> None:
    """The same variable with the same address, the same line, and another server: the engine is what differs."""
    of_neither = (Variable(at_s=0.0, op="inherited", name="DATABASE_URL", value="postgresql://u:***@proxy/db"),)
    found = compare(*(replace(run(side), variables=of_neither) for side in ("production", "test")))
    assert found.parted == 1
    assert shape(found)[1] == ("engine", "engine")


def test_a_variable_that_names_another_server_parts_them() -> None:
    """The same variable, set at the same line, to the address of another server: there the two part."""
    found = compare(run("production"), run("test"))
    assert found.parted == 0
    assert shape(found)[0] == ("variable", "variable")


def test_an_engine_that_one_run_only_made_is_in_both() -> None:
    """An engine was made in both runs, and used by the test in one: they part at the request's answer, not before."""
    used = run("test")
    elsewhere = replace(
        used,
        engines=(*used.engines, replace(used.engines[0], engine="e9", at_s=0.15, stack=0)),
        connections=tuple(replace(connection, engine="e9") for connection in used.connections),
        uses=tuple(replace(use, engine="e9", stack=1) for use in used.uses),
    )
    found = compare(elsewhere, used)
    engines = [row for row in found.rows if row.this is not None and row.this.lane == "engine"]
    assert [row.same for row in engines][:1] == [True]
    assert engines[0].this is not None
    assert engines[0].this.text == "engine made; this test does not use it"
    assert found.parted is not None
    assert found.rows[found.parted] is not engines[0]


def test_an_engine_of_another_variable_is_another_one() -> None:
    """Where the test did not use an engine, nobody knows where it leads; its variable tells the two apart."""
    used, unused = run("test", "INTEGRATION_DATABASE_URL"), run("test")
    elsewhere = replace(
        unused,
        connections=tuple(replace(connection, engine=None) for connection in unused.connections),
        uses=tuple(replace(use, engine=None) for use in unused.uses),
    )
    engines = [row for row in compare(used, elsewhere).rows if row.this is not None and row.this.lane == "engine"]
    assert [(row.same, row.other is not None and row.other.side) for row in engines] == [(False, None)]


def test_an_engine_that_another_test_made_is_none_of_this_ones() -> None:
    """What a fixture makes anew for each test is told of the test that is shown, and of no other."""
    used = run("test")
    again = replace(used.engines[0], engine="e9", at_s=0.9, test=OTHER_TEST)
    found = compare(replace(used, engines=(*used.engines, again)), used)
    assert len([row for row in found.rows if row.this is not None and row.this.lane == "engine"]) == 1
    assert found.parted is None


@pytest.mark.parametrize(("reports", "others", "shown"), [
    ("production", "test", INDIVIDUAL_TEST),
    ("test", "production", OTHER_TEST),
    ("production", "production", INDIVIDUAL_TEST),
    ("test", "test", INDIVIDUAL_TEST),
])
def test_the_test_that_is_shown_is_one_that_tells_the_two_apart(reports: str, others: str, shown: str) -> None:
    """The report's own test where it differs; else one that does; where none does, the report's again."""
    clean = joined(run("test"), run("test", test=OTHER_TEST))
    found = compare(joined(run(reports), run(others, test=OTHER_TEST)), clean)
    assert found.test == shown


def test_the_reports_own_test_comes_before_those_that_ran_before_it() -> None:
    """Of several tests that tell two runs apart the report's is shown, wherever in the run it is."""
    clean = joined(run("test", test=OTHER_TEST), run("test"))
    found = compare(joined(run("production", test=OTHER_TEST), run("production")), clean)
    assert found.test == INDIVIDUAL_TEST


def test_each_request_has_who_answered_it_in_both_runs() -> None:
    """A request is told by its test, its method and its path, with the server and the route in either run."""
    [one] = requests(run("production"), run("test"))
    assert (one.test, one.request) == (INDIVIDUAL_TEST, "GET /sites")
    assert (one.this, one.other) == (("production, without a dependency",), ("test, without a dependency",))


def test_a_request_that_only_one_run_made_is_told() -> None:
    """Where a run has no such request, nobody answered it there."""
    both = requests(run("test"), run("test", test=OTHER_TEST))
    assert [(one.test, bool(one.this), bool(one.other)) for one in both] == [
        (INDIVIDUAL_TEST, True, False), (OTHER_TEST, False, True),
    ]


def test_what_a_mounted_app_does_belongs_to_the_request_that_came() -> None:
    """A request that is handed on to a mounted app is one request, which its queries belong to."""
    evidence = run("test")
    [outer] = evidence.requests
    inner = replace(outer, number="r2", within="r1")
    handed_on = replace(
        evidence, requests=(outer, inner), uses=tuple(replace(use, request="r2") for use in evidence.uses)
    )
    [one] = requests(handed_on, evidence)
    assert one.this == one.other
    assert [row.same for row in compare(handed_on, evidence).rows] == [True, True, True, False, True]


def test_a_step_in_words_has_its_line_and_its_variable() -> None:
    """An engine has its name and its variable, a variable the server that it names, each step its place."""
    found = [row.this for row in compare(run("test"), run("test")).rows if row.this is not None]
    assert [step_in_words(step) for step in found][:2] == [
        "DATABASE_URL was there at the start, its URL names the test server",
        "engine e1 made from DATABASE_URL; it leads to the test server (app/database.py:20)",
    ]
