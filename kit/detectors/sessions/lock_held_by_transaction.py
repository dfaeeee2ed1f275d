"""lock-held-by-transaction: tables are dropped or emptied while another transaction of the tests still uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case
from kit.analysis.model import Fact, Finding, fact, first
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.evidence.model import Evidence, Frame, Wait
from kit.probes.interventions.locks import EndFirst

NAME = "lock-held-by-transaction"
_GAVE_UP = re.compile(r"(?i)LockNotAvailable|QueryCanceled|\btimeout\b")


@dataclass(frozen=True, slots=True)
class About:
    """The line of the statement that waits."""

    waiting_file: str
    waiting_line: int


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each statement that gave up waiting, or waited until the run was ended: which transaction was in its way?"""
    evidence = case.evidence
    gave_up = {
        outcome.test for outcome in evidence.outcomes
        if outcome.outcome == "failed" and _GAVE_UP.search(outcome.message or "")
    }  # fmt: skip
    seen: set[tuple[Frame, Frame]] = set()
    for event in evidence.waits:
        held, waits = first(evidence.stacks[event.held_at]), first(evidence.chain(event))
        if held is None or waits is None or (held, waits) in seen:
            continue
        if event.test in gave_up or _is_the_end(evidence, event) or _is_interrupted(evidence, event):
            seen.add((held, waits))
            yield _finding(evidence, event, held, waits, gave_up)


def _is_the_end(evidence: Evidence, event: Wait) -> bool:
    """Whether the process did nothing after a statement, and did not end by itself."""
    ended = event.process < len(evidence.processes) and evidence.processes[event.process].ended
    later = (*(use.at_s for use in evidence.uses if use.process == event.process),
             *(outcome.at_s for outcome in evidence.outcomes))  # fmt: skip
    return not ended and not any(at_s > event.at_s for at_s in later)


def _is_interrupted(evidence: Evidence, event: Wait) -> bool:
    """Whether the program was interrupted (Ctrl-C) in a statement, and so ended by itself."""
    return any(one.waiter == event.waiter and one.at_s > event.at_s for one in evidence.interrupted)


def _finding(evidence: Evidence, event: Wait, held: Frame, waits: Frame, gave_up: set[str]) -> Finding[About]:
    by = f" (fixture {event.held_by})" if event.held_by else ""
    of = f"session {event.holding}" if event.holding else f"connection {event.holder}"
    waiter = f"fixture {event.fixture}, " if event.fixture else ""
    tests = dict.fromkeys(one.test for one in evidence.waits if one.test and (one.test in gave_up or one is event))
    return Finding(
        NAME,
        f"{event.verb} at {waits} ({waiter}{event.phase} of {event.test or 'the run'}) waits for a lock on "
        f"{event.table}: the transaction of {of}, begun at {held}{by} in {event.held_in or 'the run'}, has used "
        f"{event.table} and is still open. Both are in one process, so that the wait ends only at a time limit.",
        held.file,
        held.line,
        About(waits.file, waits.line),
        (
            Fact(f"{event.table} used in a transaction that is still open", held.file, held.line, None, event.held_in),
            fact(evidence, event, f"{event.verb} waits for it"),
        ),
        (),
        tuple(tests),
    )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Roll the transaction back before the statement that waits."""
    if finding.file is not None and finding.line is not None:
        about = finding.about
        ended = EndFirst(finding.file, finding.line, about.waiting_file, about.waiting_line)
        yield proposed_by(finding, ended, advice(finding))


def advice(finding: Finding[About]) -> str:
    """Close the session before the tables are dropped."""
    waits = f"{finding.about.waiting_file}:{finding.about.waiting_line}"
    return (
        f"Close the session that {finding.where} uses, or end its transaction, before {waits} runs: a dependency that "
        "opens it in `with` and yields it, or close_all_sessions() in the fixture. With lock_timeout on the tests' "
        "connections such a wait fails instead of lasting."
    )


KIND = Kind(
    NAME,
    "A lock that an open transaction holds",
    Explanation(
        what="A fixture drops, alters or truncates a table while another transaction of the same process has used it "
        "and is still open: the statement waits for a lock that nothing releases.",
        comes_about="On a server even a SELECT holds a lock on its tables until its transaction ends. A session that "
        "is never closed (a global one, a generator that is not finished) keeps it open until the fixture's teardown.",
        example="""
        session = Session(engine)              # of the application, never closed

        @pytest.fixture(autouse=True)
        def tables():
            Base.metadata.create_all(engine)
            yield
            Base.metadata.drop_all(engine)     # waits for the session's transaction
        """,
        proved="A re-run that rolls that transaction back right before the statement.",
        to_do="Close the session, or end its transaction, before the tables are dropped.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="the transaction of {where} is still open when its table is dropped",
)
