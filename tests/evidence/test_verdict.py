from __future__ import annotations

from dataclasses import replace

import pytest

from kit.evidence.model import Frame
from kit.evidence.verdict import NEEDED_PROBES, Ruling, Verdict, agreed, agreed_by, anywhere, disagreements, isolation
from kit.specimens.trial import Trial
from tests.evidences import answered_by, without_probe


def test_a_request_answered_by_the_test_server_holds() -> None:
    """Isolation holds where the test server answered every request."""
    assert isolation(answered_by("test")).verdict is Verdict.HOLDS


def test_a_request_answered_by_production_is_broken_and_named() -> None:
    """Isolation is broken where production answered one request, and the reason names the application's own line."""
    ruling = isolation(answered_by("production"))
    assert ruling.verdict is Verdict.BROKEN
    assert "app/routers/sites.py:20 list_sites" in ruling.reason


@pytest.mark.parametrize("name", NEEDED_PROBES)
def test_a_probe_that_is_off_leaves_the_question_open(name: str) -> None:
    """Without any one of the probes nothing is decided, whichever server answered."""
    for side in ("test", "production"):
        ruling = isolation(without_probe(answered_by(side), name))
        assert ruling.verdict is Verdict.UNRESOLVED
        assert name in ruling.reason


@pytest.mark.parametrize("change", [
    {"timed_out": True},
    {"processes": ()},
    {"backends": None},
    {"backends": ()},
    {"uses": ()},
    {"sides": {}},
    {"problems": ("a line of process 1 is cut off",)},
])
def test_what_is_missing_leaves_the_question_open(change: dict[str, object]) -> None:
    """A time-out, a silent probe, an unread log or an unknown server is never a verdict."""
    assert isolation(replace(answered_by("test"), **change)).verdict is Verdict.UNRESOLVED  # type: ignore[arg-type]


def test_a_killed_process_leaves_the_question_open() -> None:
    """A process that could not say that it ended may have done more than it told."""
    evidence = answered_by("test")
    killed = replace(evidence, processes=(replace(evidence.processes[0], ended=False),))
    assert isolation(killed).verdict is Verdict.UNRESOLVED


def test_a_connection_that_only_the_server_saw_is_a_disagreement() -> None:
    """Where a server served a connection that no probe saw, both are named and nothing is decided."""
    evidence = answered_by("test")
    unseen = replace(evidence.backends[0], side="production", pid=99)  # type: ignore[index]
    ruling = isolation(replace(evidence, backends=(*evidence.backends, unseen)))  # type: ignore[misc]
    assert ruling.verdict is Verdict.UNRESOLVED
    assert "the production server served backend 99, which no probe saw" in ruling.reason


def test_a_use_outside_requests_is_not_a_request_to_production() -> None:
    """An integration test that reads the deployed database itself says nothing about the application's requests."""
    ruling = isolation(answered_by("production", request=None))
    assert ruling == Ruling(Verdict.UNRESOLVED, "no request used a database")


def test_trials_that_agree_give_one_ruling_and_mixed_ones_give_none() -> None:
    """Repeated trials decide only together."""
    holds, broken = isolation(answered_by("test")), isolation(answered_by("production"))
    assert agreed([holds, holds, holds]).verdict is Verdict.HOLDS
    assert agreed([holds, broken, holds]).verdict is Verdict.UNRESOLVED
    assert agreed([]).verdict is Verdict.UNRESOLVED


def test_runs_are_judged_in_the_groups_that_their_trials_form() -> None:
    """Each group has the ruling on which its own trials agree; evidence without a trial is in none."""
    suite, single = (replace(answered_by("test"), trial=Trial(selection=name)) for name in ("suite", "individual"))
    leaky = replace(answered_by("production"), trial=Trial(selection="individual"))
    ruled = agreed_by([suite, single, leaky, answered_by("production")], lambda trial: trial.selection)
    assert {name: ruling.verdict for name, ruling in ruled.items()} == {
        "suite": Verdict.HOLDS, "individual": Verdict.UNRESOLVED,
    }


def test_the_application_is_judged_outside_requests_too() -> None:
    """What the application does on production before any request breaks the wider rule, and says where it was."""
    at_start = answered_by("production", request=None)
    assert anywhere(at_start).verdict is Verdict.BROKEN
    assert "by the application" in anywhere(at_start).reason
    assert anywhere(answered_by("test")).verdict is Verdict.HOLDS


def test_statements_of_the_tests_are_not_the_application_s() -> None:
    """A test that reads production itself leaves the application alone, and unjudged where it did nothing."""
    by_a_test = replace(answered_by("production"), stacks=((Frame("tests/test_deployed.py", 3, "test_it"),),))
    assert anywhere(by_a_test).verdict is Verdict.UNRESOLVED
    assert anywhere(without_probe(answered_by("test"), "engine")).verdict is Verdict.UNRESOLVED


def test_a_probe_that_could_not_be_installed_leaves_the_question_open() -> None:
    """What the driver did is not known, and the reason names it."""
    evidence = answered_by("test")
    failed = replace(evidence.processes[0], failures={"asyncpg": "TypeError: x"})
    ruling = isolation(replace(evidence, processes=(failed,)))
    assert ruling.verdict is Verdict.UNRESOLVED
    assert "the probe for asyncpg could not be installed: TypeError: x" in ruling.reason


def test_without_the_servers_logs_there_is_one_witness() -> None:
    """It is said, and nothing is compared."""
    assert list(disagreements(replace(answered_by("test"), backends=None))) == [
        "the servers' logs could not be read, so that there is only one witness"
    ]
    assert list(disagreements(answered_by("test"))) == []
