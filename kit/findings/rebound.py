"""Was a global that leads to a database bound to another, and left so for the tests that followed?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import Engine, Evidence, Frame, Name
from kit.findings.case import Case
from kit.findings.model import Fact, Finding, fact
from kit.findings.reach import Reach, is_test_file


def ask(case: Case) -> Iterator[Finding]:
    """For each name that a test left bound elsewhere: did a later test go wrong on what it held?"""
    failed = {outcome.test for outcome in case.evidence.outcomes if outcome.outcome == "failed"}
    wrong = {test for leak in case.leaks for test in leak.tests}
    engines = {engine.engine: engine for engine in case.evidence.engines}
    for event in _left(case.evidence):
        assert event.holds is not None
        engine = engines.get(event.holds.engine or "")
        hit = _hit(case, event, failed | wrong)
        at = _place(case.evidence, event, engine)
        if hit is None or at is None:
            continue
        yield Finding(
            "global-engine-rebound-not-restored",
            f"{event.module}.{event.name} was rebound by {event.test} ({at}) to {hit.database.name} and never "
            f"restored; first use after that: {hit.test}.",
            at.file,
            at.line,
            (
                fact(case.evidence, event, f"{event.module}.{event.name} holds another engine", at),
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
            (("test", event.test or ""),),
        )


def _left(evidence: Evidence) -> Iterator[Name]:
    """The last rebinding of each name by a test, where no later one of the same test put back what was there."""
    last: dict[tuple[int, str, str], Name] = {}
    for event in evidence.names:
        if event.stage is not None or event.module.startswith("app "):  # an application's own doing
            continue
        if event.op == "rebound" and event.holds is not None and event.holds.engine is not None and event.test:
            last[event.process, event.module, event.name] = event
        else:
            last.pop((event.process, event.module, event.name), None)
    yield from last.values()


def _hit(case: Case, event: Name, wrong: set[str]) -> Reach | None:
    """The first use of the engine by another test that went wrong."""
    assert event.holds is not None
    return next(
        (
            reach
            for reach in case.reached
            if reach.engine is not None
            and reach.engine.engine == event.holds.engine
            and reach.test in wrong
            and reach.test != event.test
            and reach.entry.at_s > event.at_s
        ),
        None,
    )


def _place(evidence: Evidence, event: Name, engine: Engine | None) -> Frame | None:
    """The line of the tests that made the engine; of whoever made it, where the tests did not."""
    chain = evidence.chain(engine) if engine is not None else ()
    return next((frame for frame in chain if is_test_file(frame.file)), chain[-1] if chain else None)
