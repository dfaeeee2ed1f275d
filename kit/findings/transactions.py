"""Did a test look for rows that another session had not committed?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import Unseen
from kit.findings.case import Case
from kit.findings.model import Fact, Finding, fact, first


def ask(case: Case) -> Iterator[Finding]:
    """For each failed test that read a table: had another session rows in it that were not committed?"""
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
            "session-uncommitted",
            f"row in {event.table} written in session {event.writing or event.writer} ({_who(event)}{wrote}, "
            f"uncommitted) cannot be seen by session {event.reading or event.reader} ({reader or 'the reader'}), which "
            f"reads the same database in {event.test}.",
            wrote.file,
            wrote.line,
            (
                Fact(f"{event.table} written, not committed", wrote.file, wrote.line, None, event.written_in),
                fact(evidence, event, f"{event.table} read by another session"),
            ),
            (),
            (event.test or "",),
            (("table", event.table),),
        )


def _who(event: Unseen) -> str:
    return f"fixture {event.written_by}, " if event.written_by else ""
