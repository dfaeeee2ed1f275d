"""session-uncommitted: one session wrote rows and did not commit them before another one read the table."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case
from kit.analysis.model import Fact, Finding, Nothing, fact, first
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.detectors.sessions import context_not_in_thread
from kit.evidence.model import Evidence, Unseen
from kit.probes.interventions.connections import CommitAfter

NAME = "session-uncommitted"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each failed test that read a table: did another session have uncommitted rows in it?"""
    evidence = case.evidence
    failed = {outcome.test for outcome in evidence.outcomes if outcome.outcome == "failed"}
    seen: set[tuple[str | None, int | None]] = set()
    for event in evidence.unseen:
        wrote = first(evidence.stacks[event.written_at])
        if event.test not in failed or wrote is None or (wrote.file, wrote.line) in seen:
            continue
        seen.add((wrote.file, wrote.line))
        reader = first(evidence.chain(event))
        yield Finding(
            NAME,
            f"row in {event.table} written in session {event.writing or event.writer} ({_writer_text(event)}{wrote}, "
            f"uncommitted) cannot be seen by session {event.reading or event.reader} ({reader or 'the reader'}), which "
            f"reads the same database in {event.test}.",
            wrote.file,
            wrote.line,
            Nothing(),
            (
                Fact(f"{event.table} written, not committed", wrote.file, wrote.line, None, event.written_in),
                fact(evidence, event, f"{event.table} read by another session"),
                *_reader_facts(evidence, event),
            ),
            (),
            (event.test or "",),
        )


def _reader_facts(evidence: Evidence, event: Unseen) -> Iterator[Fact]:
    """Where the reading session was made, and the line that runs in its thread if it has one of its own."""
    made = next((session for session in evidence.sessions if session.session == event.reading), None)
    if made is not None and made.stack is not None:
        yield fact(evidence, made, "the session that reads was made")
    chain = evidence.chain(event)
    if event.thread is not None and chain:
        said = f"runs in the thread {event.thread}, in which no context variable of the test is set"
        yield fact(evidence, event, said, chain[-1])


def _writer_text(event: Unseen) -> str:
    return f"fixture {event.written_by}, " if event.written_by else ""


def interventions(finding: Finding[Nothing], context: Context) -> Iterator[Candidate]:
    """Commit after the line that writes; where a thread reads, hand the context on to it."""
    if finding.file is not None and finding.line is not None:
        yield proposed_by(finding, CommitAfter(finding.file, finding.line), advice(finding))
    for event in context.case.evidence.unseen:
        wrote = first(context.case.evidence.stacks[event.written_at])
        mine = wrote is not None and (wrote.file, wrote.line) == (finding.file, finding.line)
        suspected = context_not_in_thread.of_reader(context.case, event) if mine else None
        if suspected is not None and event.test in finding.tests:
            yield context_not_in_thread.hand_on_context(suspected)
            return


def advice(finding: Finding[Nothing]) -> str:
    """Commit, or share the session."""
    return f"Commit at {finding.where}, or let the override return the session that the fixture writes to."


KIND = Kind(
    NAME,
    "Rows that another session cannot see",
    Explanation(
        what="A fixture wrote rows in a session of its own and did not commit them; the application's session does not "
        "see them.",
        comes_about="flush() sends rows to the server inside a transaction: other connections see them after the "
        "commit.",
        example="""
        @pytest.fixture
        def site(db):
            db.add(Site(name="north"))
            db.flush()                         # the application reads through another connection
        """,
        proved="A re-run with a commit after the line that writes.",
        to_do="Commit, or let the override return the fixture's session.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
