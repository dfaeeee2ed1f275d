"""A run shows something only where the tests, or the program, went on as before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.analysis.databases import Allowed
from kit.answer.diagnosis import Effect
from kit.answer.model import answer
from kit.detectors.planning.candidate import NOWHERE
from kit.diagnosing.judge import judged, symptoms_of
from kit.evidence.model import Connection, Evidence, FailedConnection, Frame, NotSeen, Outcome, Process, Refusal, Use
from kit.probes.interventions.texts import EditModule

TEST = "tests/test_it.py::test_it"
ALLOWED = Allowed(("test.db",), "/project")
PROCESS = Process(pid=1, ppid=0, argv=("python",), executable="python", python="3.12.1", parent=None)


def evidence(file: str | None, outcome: str | None, exit_code: int = 0) -> Evidence:
    """A run that reached a file, or nothing, and in which the test ended so; None: it is no run of pytest."""
    test = TEST if outcome is not None else None
    return Evidence(
        processes=(PROCESS,),
        exit_code=exit_code,
        connections=(
            Connection(at_s=1.0, connection="c1", driver="sqlite3", configured=file, observed={"file": file}),
        ) if file else (),
        uses=(Use(at_s=1.0, connection="c1", phase="call", test=test),) if file else (),
        outcomes=(Outcome(test=TEST, when="call", outcome=outcome, at_s=2.0),) if outcome else (),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (evidence("/project/prod.db", "failed"), evidence("/project/test.db", "passed"), Effect.GONE),
        (evidence("/project/prod.db", "failed"), evidence("/project/test.db", "failed"), Effect.GONE),
        (evidence("/project/prod.db", "failed"), evidence("/project/prod.db", "failed"), Effect.STAYS),
        (evidence("/project/prod.db", "failed"), evidence(None, "failed"), Effect.VOID),
        (evidence("/project/prod.db", "passed"), evidence(None, "passed"), Effect.VOID),
        (evidence("/project/prod.db", None, 1), evidence("/project/test.db", None, 1), Effect.GONE),
        (evidence("/project/prod.db", None, 0), evidence(None, None, 0), Effect.VOID),
        (evidence("/project/prod.db", None, 0), evidence(None, None, 1), Effect.VOID),
        (evidence("/project/prod.db", None, 1), evidence(None, None, 1), Effect.VOID),
    ],
)
def test_what_a_run_shows(before: Evidence, now: Evidence, expected: Effect) -> None:
    """What does not come as far as to ask for a database shows nothing, however it ends, and had ended before."""
    (symptom,) = symptoms_of(answer(before, ALLOWED, "/project"))
    assert judged(symptom, now, frozenset())[0] is expected


def test_a_run_without_probes_shows_nothing() -> None:
    """Where no probe reported, nothing is known of the run."""
    (symptom,) = symptoms_of(answer(evidence("/project/prod.db", "failed"), ALLOWED, "/project"))
    assert judged(symptom, replace(evidence(None, "passed"), processes=()), frozenset())[0] is Effect.VOID


@pytest.mark.parametrize(
    ("stopped_at", "expected", "said"),
    [("prod.db", Effect.STAYS, "refused before"), ("tmp/own.db", Effect.VOID, "--allow tmp/own.db")],
)
def test_only_what_had_been_reached_wrongly_can_stay(stopped_at: str, expected: Effect, said: str) -> None:
    """A run that was stopped at another database than before neither kept the wrong one nor did without it."""
    (symptom,) = symptoms_of(answer(evidence("/project/prod.db", "passed"), ALLOWED, "/project"))
    stopped = Refusal(at_s=1.0, database=stopped_at, entry=stopped_at)
    shown, reason, *_ = judged(symptom, replace(evidence(None, "failed"), refusals=(stopped,)), frozenset())
    assert shown is expected
    assert said in reason


@pytest.mark.parametrize("entry", ["", "[", "://"])
def test_a_refusal_that_no_entry_would_lift_is_judged_all_the_same(entry: str) -> None:
    """A client of which nobody can tell where it leads was stopped: that shows nothing, and is no error."""
    (symptom,) = symptoms_of(answer(evidence("/project/prod.db", "passed"), ALLOWED, "/project"))
    stopped = Refusal(at_s=1.0, database="a database through psql", entry=entry)
    assert judged(symptom, replace(evidence(None, "failed"), refusals=(stopped,)), frozenset())[0] is Effect.VOID


def test_what_went_out_of_sight_proves_nothing() -> None:
    """Where a re-run starts a client that the first run did not, the wrong database may have been reached by that."""
    (symptom,) = symptoms_of(answer(evidence("/project/prod.db", "passed"), ALLOWED, "/project"))
    without = evidence("/project/test.db", "passed")
    assert judged(symptom, without, frozenset())[0] is Effect.GONE
    client = NotSeen(at_s=1.0, what="client", name="psql", asked="postgresql://db:5432/orders")
    shown, reason, *_ = judged(symptom, replace(without, not_seen=(client,)), frozenset())
    assert shown is Effect.VOID
    assert "psql" in reason


OPENS = Frame("app/tasks.py", 7, "job")


@pytest.mark.parametrize(
    ("line", "now"),
    [(7, evidence(None, "passed")), (3, evidence(None, "passed")), (7, evidence("/project/test.db", "passed"))],
    ids=["the-opener", "another-line", "the-opener-and-it-asks"],
)
def test_without_the_statement_that_opens_it_nothing_is_shown(line: int, now: Evidence) -> None:
    """Whatever the cause is, a statement that does not run opens nothing."""
    before = evidence("/project/prod.db", "passed")
    before = replace(before, stacks=((OPENS,),), uses=tuple(replace(use, stack=0) for use in before.uses))
    (symptom,) = symptoms_of(answer(before, ALLOWED, "/project"))
    edit = EditModule("app/tasks.py", ((line, line, "pass"),))
    assert judged(symptom, now, frozenset(), [edit])[0] is Effect.VOID


def test_a_process_of_a_test_that_ends_too_soon_shows_nothing() -> None:
    """The test goes on and reaches its own database; what it had started is what had reached the wrong one."""
    child = replace(PROCESS, pid=2, ppid=1, argv=("/project/worker.py",))
    mine = evidence("/project/test.db", "passed")
    other = replace(mine.connections[0], connection="c2", observed={"file": "/project/prod.db"}, process=1)
    before = replace(
        mine, processes=(PROCESS, child), connections=(*mine.connections, other),
        uses=(*mine.uses, replace(mine.uses[0], connection="c2", process=1)),
    )  # fmt: skip
    (symptom,) = symptoms_of(answer(before, ALLOWED, "/project"))
    shown, reason, *_ = judged(symptom, replace(mine, processes=(PROCESS, child)), frozenset())
    assert shown is Effect.VOID
    assert "worker.py, which connected there before, no longer connects to a database" in reason


def test_a_database_that_a_rerun_names_hides_no_other() -> None:
    """Where one connection was led nowhere, and another went to the wrong database as before, that one stays."""
    (symptom,) = symptoms_of(answer(evidence("/project/prod.db", "passed"), ALLOWED, "/project"))
    failed = FailedConnection(
        at_s=1.0, driver="psycopg", configured=f"postgresql://{NOWHERE}", error="refused", test=TEST, phase="call"
    )
    now = replace(evidence(None, "failed"), failed_connections=(failed,))
    assert judged(symptom, now, frozenset())[0] is Effect.GONE
    stopped = Refusal(at_s=2.0, database="prod.db", entry="prod.db")
    assert judged(symptom, replace(now, refusals=(stopped,)), frozenset())[0] is Effect.STAYS


SERVER = "postgresql+psycopg://app@db.example:5432/"


def on_server(database: str) -> Evidence:
    """A run whose test reached a database of a server."""
    connection = Connection(
        at_s=1.0, connection="c1", driver="psycopg", configured=SERVER + database,
        observed={"system": "7", "database": database, "host": "db.example", "port": "5432"},
    )  # fmt: skip
    return replace(evidence("x.db", "passed"), connections=(connection,))


@pytest.mark.parametrize("asked_for", ["other", NOWHERE], ids=["another-database", "none-that-is-there"])
def test_the_wrong_server_asked_for_another_database_shows_nothing(asked_for: str) -> None:
    """It is still the wrong server that the test asks, whether it has that database or not."""
    (symptom,) = symptoms_of(answer(on_server("orders"), Allowed(("*/orders_test",), "/project"), "/project"))
    failed = FailedConnection(
        at_s=1.0, driver="psycopg", configured=SERVER + asked_for, error="no such database", test=TEST
    )
    shown, reason, *_ = judged(symptom, replace(evidence(None, "failed"), failed_connections=(failed,)), frozenset())
    assert shown is Effect.VOID
    assert "tried to connect to" in reason
    assert "not allowed" in reason


AT_LINE, BEFORE_IT = Frame("app/main.py", 12, "orders"), Frame("tests/conftest.py", 5, "empty_tables")


@pytest.mark.parametrize(("frame", "expected"), [(AT_LINE, Effect.GONE), (BEFORE_IT, Effect.VOID)])
def test_a_run_that_ends_before_the_line_shows_nothing(frame: Frame, expected: Effect) -> None:
    """The test's fixture asks for a database of its own in both runs: it is the line that must be come to."""
    before, now = evidence("/project/prod.db", "failed"), evidence("/project/test.db", "failed")
    before, now = (
        replace(run, stacks=((line,),), uses=tuple(replace(use, stack=0) for use in run.uses))
        for run, line in ((before, AT_LINE), (now, frame))
    )
    (symptom,) = symptoms_of(answer(before, ALLOWED, "/project"))
    assert judged(symptom, now, frozenset())[0] is expected


def test_leaving_out_the_test_that_shows_it_shows_nothing() -> None:
    """A test that does not run reaches nothing: leaving one out is evidence about the others only."""
    (symptom,) = symptoms_of(answer(evidence("/project/prod.db", "passed"), ALLOWED, "/project"))
    shown, reason, *_ = judged(symptom, evidence(None, None), frozenset({TEST}))
    assert (shown, reason) == (Effect.VOID, f"{TEST} shows the symptom, but was left out")


def test_a_change_with_which_another_test_fails_shows_nothing() -> None:
    """What breaks a test that passed is no run of the same suite."""
    other = Outcome(test="tests/test_it.py::test_other", when="call", outcome="passed", at_s=3.0)
    before, now = evidence("/project/prod.db", "passed"), evidence("/project/test.db", "passed")
    before = replace(before, outcomes=(*before.outcomes, other))
    (symptom,) = symptoms_of(answer(before, ALLOWED, "/project"))
    whole = replace(now, outcomes=(*now.outcomes, other))
    assert judged(symptom, whole, frozenset())[0] is Effect.GONE
    broken = replace(now, outcomes=(*now.outcomes, replace(other, outcome="failed")))
    shown, reason, *_ = judged(symptom, broken, frozenset())
    assert (shown, reason) == (Effect.VOID, "tests/test_it.py::test_other passed before and fails now")


@pytest.mark.parametrize(
    ("body", "teardown", "expected"),
    [("passed", "failed", Effect.STAYS), ("passed", "passed", Effect.GONE), ("failed", "failed", Effect.VOID)],
)
def test_a_teardown_that_had_failed_is_no_loss(body: str, teardown: str, expected: Effect) -> None:
    """A test whose teardown fails as before still shows the symptom; one whose body fails anew shows nothing."""

    def ended(how: str, after: str) -> Evidence:
        outcomes = ((when, one) for when, one in (("call", how), ("teardown", after)))
        return replace(
            evidence("/project/test.db", None),
            outcomes=tuple(Outcome(test=TEST, when=when, outcome=one, at_s=2.0) for when, one in outcomes),
        )

    (symptom,) = symptoms_of(answer(ended("passed", "failed"), ALLOWED, "/project"))
    assert judged(symptom, ended(body, teardown), frozenset())[0] is expected


@pytest.mark.parametrize("before", [evidence("/project/prod.db", "failed"), evidence("/project/test.db", "failed")])
def test_a_run_that_was_stopped_shows_nothing(before: Evidence) -> None:
    """Ended at its limit, or refused by the guard: how the test would have ended is not known."""
    (symptom,) = symptoms_of(answer(before, ALLOWED, "/project"))
    now = evidence("/project/test.db", "passed")
    shown, reason, *_ = judged(symptom, replace(now, timed_out=True, duration_s=90.0), frozenset())
    assert (shown, reason) == (Effect.VOID, "ended at its time limit, after 90 s")
    stopped = Refusal(at_s=2.0, database="other.db", entry="other.db")
    assert judged(symptom, replace(now, refusals=(stopped,)), frozenset())[0] is Effect.VOID


def test_a_failure_that_is_gone_because_its_test_is_gone_shows_nothing() -> None:
    """The test has to run again, and what passed before has to pass again."""
    (symptom,) = symptoms_of(answer(evidence("/project/test.db", "failed"), ALLOWED, "/project"))
    shown, reason, *_ = judged(symptom, replace(evidence("/project/test.db", "passed"), outcomes=()), frozenset())
    assert (shown, reason) == (Effect.VOID, f"{TEST} no longer ran")
