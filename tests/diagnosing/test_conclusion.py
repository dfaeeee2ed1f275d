"""What is said where nothing was found, or without an allow-list."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.analysis.databases import Allowed
from kit.answer.diagnosis import Status
from kit.answer.model import answer
from kit.diagnosing.conclusion import ended_at_limit, not_allowed, nothing_wrong
from kit.diagnosing.judge import symptoms_of
from kit.evidence.model import Callable, Evidence, Outcome, Override, OverrideCheck
from kit.report.answer_text import text
from tests.analysis.seen_runs import BY_TESTS, TEST, leak, variable

NOBODY_SAID, ALL = Allowed(None, "/project"), Allowed(("*.db",), "/project")


def unmatched() -> Evidence:
    """A run with an override key that no application depends on, and that is like none."""
    return replace(
        leak(),
        callables=(Callable(callable="d1", name="shop.get_mailer", file="shop/mail.py", line=3, type="function"),),
        overrides=(Override(at_s=1.0, op="set", key="d1", app="a1", by=None),),
        override_checks=(OverrideCheck(at_s=2.0, app="a1", matched=(), missed=("d1",)),),
    )


@pytest.mark.parametrize(
    ("allowed", "status"), [(NOBODY_SAID, Status.UNRESOLVED), (ALL, Status.CLEAN)], ids=["nobody-said", "all-allowed"]
)
def test_a_key_that_matches_nothing_is_never_followed_by_nothing_is_wrong(allowed: Allowed, status: Status) -> None:
    """The trace and the diagnosis name the key, and neither says that nothing is wrong beside it."""
    first = answer(unmatched(), allowed, "/project")
    diagnosis = nothing_wrong(first)
    assert diagnosis.status is status
    assert "override key shop.get_mailer matches nothing" in diagnosis.unproved
    assert "1 override key matches nothing" in text(first)
    assert "othing is wrong" not in text(first) + diagnosis.happened


def test_what_nobody_has_judged_is_not_called_in_order() -> None:
    """A file that was reached may be the wrong one: the sentence asks for the list."""
    first = answer(leak(), NOBODY_SAID, "/project")
    assert "prod.db was reached, and no allow-list was given" in nothing_wrong(first).happened
    assert nothing_wrong(answer(leak(), ALL, "/project")).happened.endswith("nothing is wrong.")


def test_a_list_that_would_fit_is_proposed() -> None:
    """What does not contradict the tests is named as one would allow it."""
    evidence = leak(variable("set", "DB", 1.0, BY_TESTS, "sqlite:////project/other.db"))
    own = replace(evidence.connections[0], connection="c2", configured=TEST, observed={"file": TEST}, stack=BY_TESTS)
    first = answer(replace(evidence, connections=(*evidence.connections, own)), NOBODY_SAID, "/project")
    diagnosis = not_allowed(first, symptoms_of(first))
    assert "prod.db was reached in 1 test, and is not a database that the tests configure" in diagnosis.happened
    assert "--allow test.db" in diagnosis.unproved[0]


@pytest.mark.parametrize("exit_code", [0, 4], ids=["ended-well", "failed"])
def test_a_run_that_shows_nothing_is_not_called_clean(exit_code: int) -> None:
    """No test ran and no database was reached: a suite that was not run is not in order."""
    first = answer(Evidence(exit_code=exit_code, output="error: no such option"), ALL, "/project")
    diagnosis = nothing_wrong(first)
    assert diagnosis.status is Status.UNRESOLVED
    assert diagnosis.happened in text(first)
    assert "nothing can be concluded" in diagnosis.happened
    assert bool(diagnosis.unproved) is bool(exit_code)
    assert ("no such option" in " ".join(diagnosis.unproved)) is bool(exit_code)


def test_a_database_that_no_test_names_leaves_it_open() -> None:
    """Without a list nothing is clean that the tests reach and do not name, unless the run itself has made it."""
    evidence = leak()
    diagnosis = nothing_wrong(answer(evidence, NOBODY_SAID, "/project"))
    assert diagnosis.status is Status.UNRESOLVED
    assert "prod.db was reached, at" in diagnosis.unproved[0]
    assert "no variable of the tests leads there" in diagnosis.unproved[0]
    assert diagnosis.unproved[0].endswith("--allow prod.db")
    made_here = replace(evidence, connections=tuple(replace(one, fresh=True) for one in evidence.connections))
    assert nothing_wrong(answer(made_here, NOBODY_SAID, "/project")).status is Status.CLEAN


def test_a_first_run_that_was_ended_says_what_it_last_wrote() -> None:
    """Nothing is proved of a run that would have gone on, and the option that gives it longer is named."""
    evidence = replace(leak(), timed_out=True, duration_s=60.0, output="collecting\nwaiting for the server\n")
    diagnosis = ended_at_limit(answer(evidence, ALL, "/project"))
    assert diagnosis.status is Status.UNRESOLVED
    assert diagnosis.happened == "The unchanged command was ended at its time limit, after 60 s."
    assert "--timeout-first S" in diagnosis.unproved[0]
    assert diagnosis.unproved[1] == "Its last output:\ncollecting\nwaiting for the server"


def test_failures_without_a_list_are_not_told_as_if_nothing_wrong_was_reached() -> None:
    """Which database is wrong is not known without a list, unless none was reached that lives on."""
    failed = (Outcome(test="tests/test_it.py::test_it", when="call", outcome="failed", at_s=10.0),)
    for evidence, said in (
        (leak(), "1 test failed; without an allow-list the kit cannot tell whether a wrong database was reached"),
        (Evidence(), "1 test failed, no wrong database was reached"),
    ):
        first = answer(replace(evidence, outcomes=failed, exit_code=1), NOBODY_SAID, "/project")
        assert not_allowed(first, symptoms_of(first)).happened.startswith(said)
