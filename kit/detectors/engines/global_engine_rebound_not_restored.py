"""global-engine-rebound-not-restored: a test rebinds a global, or a name on app.state, and does not restore it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from kit.analysis.case import Case
from kit.analysis.model import Fact, Finding, fact
from kit.analysis.reach import Reach, called_by_tests, is_test_file
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import without_test
from kit.evidence.model import Engine, Evidence, Frame, Name

NAME = "global-engine-rebound-not-restored"
_OF_APP = "app "  # stands for the module of a name on an application's state
_FOR_MANY = ("session", "package")  # fixture scopes whose effect is meant to last


@dataclass(frozen=True, slots=True)
class About:
    """The test that bound the name."""

    test: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each name that a test bound and did not restore: did a later test reach a wrong database through it?"""
    failed = {outcome.test for outcome in case.evidence.outcomes if outcome.outcome == "failed"}
    wrong = {test for leak in case.leaks for test in leak.tests}
    for event, engine, until_s in _bound(case.evidence):
        hit = _hit(case, event, failed | wrong, until_s)
        at = _place(case.evidence, event, engine)
        if hit is not None and engine.scope not in _FOR_MANY:
            yield _finding(case, event, hit, at)


def _finding(case: Case, event: Name, hit: Reach, at: Frame | None) -> Finding[About]:
    name = f"app.{event.name}" if event.module.startswith(_OF_APP) else f"{event.module}.{event.name}"
    return Finding(
        NAME,
        f"{name} was {'set' if event.op == 'held' else 'rebound'} by {event.test} ({at or f'in its {event.phase}'}) to "
        f"{hit.database.name} and never {'removed' if event.op == 'held' else 'restored'}; first use after that: "
        f"{hit.test}.",
        at.file if at is not None else (event.test or "").partition("::")[0],
        at.line if at is not None else None,
        About(event.test or ""),
        (
            fact(case.evidence, event, f"{name} holds another engine", at),
            Fact(
                f"{hit.database.name} was used by {hit.test}",
                hit.opener.file if hit.opener else None,
                hit.opener.line if hit.opener else None,
                hit.entry.at_s,
                hit.test,
            ),
        ),
        (hit.database.id,),
        (hit.test or "",),
    )


def _bound(evidence: Evidence) -> Iterator[tuple[Name, Engine, float]]:
    """Each binding of a name by a test, the engine that the name then held, and the time until which it held it."""
    engines = {engine.engine: engine for engine in evidence.engines}
    pool: dict[tuple[int, str, str], list[Name]] = {}
    for event in evidence.names:
        pool.setdefault((event.process, event.module, event.name), []).append(event)
    for events in pool.values():
        for event, after in zip_longest(events, events[1:]):
            engine = engines.get((event.holds.engine if event.holds is not None else None) or "")
            if engine is not None and _by_the_test(evidence, event, engine):
                yield event, engine, after.at_s if after is not None else math.inf


def _by_the_test(evidence: Evidence, event: Name, engine: Engine) -> bool:
    """Whether a test bound a name, rather than the application, which sets its names at its start or first use."""
    if event.test is None or event.stage is not None or event.op == "unbound":
        return False
    if event.op == "held" and engine.test != event.test:  # the name was only seen for the first time
        return False
    if event.op == "rebound" and not event.module.startswith(_OF_APP):
        return True
    made = evidence.chain(engine)
    theirs = is_test_file(made[0].file) if made else False
    theirs = theirs or (engine.request is None and called_by_tests(made) is not None)
    return theirs or (event.op == "rebound" and engine.test != event.test)


def _hit(case: Case, event: Name, wrong: set[str], until_s: float) -> Reach | None:
    """The first use of the engine by another test that went wrong, while the name still held it."""
    assert event.holds is not None
    return next(
        (
            reach
            for reach in case.reached
            if reach.engine is not None
            and reach.engine.engine == event.holds.engine
            and reach.test in wrong
            and reach.test != event.test
            and event.at_s < reach.entry.at_s < until_s
        ),
        None,
    )


def _place(evidence: Evidence, event: Name, engine: Engine) -> Frame | None:
    """The innermost line of the tests that led to the engine or, without one, the outermost application line.

    None when the engine existed before the test that bound the name: the line that made it is then unrelated.
    """
    if engine.test != event.test:
        return None
    chain = evidence.chain(engine)
    return next((frame for frame in chain if is_test_file(frame.file)), chain[-1] if chain else None)


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Leave out the test that binds the name."""
    return without_test(finding, finding.about.test, advice(finding))


def advice(finding: Finding[About]) -> str:
    """Restore the name after the test."""
    return (
        f"Restore what {finding.where} replaces when the test is over (monkeypatch.setattr does), or let init take a "
        "context."
    )


KIND = Kind(
    NAME,
    "A global engine that a test rebinds and does not restore",
    Explanation(
        what="A test bound a global, or a name on app.state, to another engine and left it so: a later test uses it.",
        comes_about="init_db(url) writes a module's global, or the test assigns app.state.engine, and nothing "
        "restores what was there.",
        example="""
        def test_migration():
            database.init("sqlite:///migration.db")   # rebinds database.engine for all tests after it
        """,
        proved="A re-run without the test that rebinds it.",
        to_do="Restore the name when the test is over (monkeypatch.setattr does).",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
