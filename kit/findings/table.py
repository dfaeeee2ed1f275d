"""The questions, in the order in which their answers are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kit.evidence import Evidence
from kit.findings import (
    apps,
    astray,
    children,
    cleared,
    copies,
    files,
    folders,
    imports,
    lifespan,
    loops,
    memory,
    openers,
    overrides,
    rebound,
    routed,
    separate,
    themselves,
    transactions,
    unread,
    urls,
    workers,
)
from kit.findings.case import Case, Leak, case_of
from kit.findings.databases import Allowed
from kit.findings.model import Finding
from kit.findings.reach import Reach
from kit.findings.whence import told

Question = Callable[[Case], Iterator[Finding]]

QUESTIONS: tuple[Question, ...] = (
    astray.ask,
    apps.ask,
    overrides.ask,
    cleared.ask,
    routed.ask,
    openers.ask,
    copies.ask,
    lifespan.ask,
    files.ask,
    urls.ask,
    unread.ask,
    children.ask,
    imports.ask,
    folders.ask,
    rebound.ask,
    loops.ask,
    memory.ask,
    transactions.ask,
    separate.ask,
    themselves.ask,
    workers.ask,
)


# These say what was done, not why it was wrong.
WEAK = frozenset({"session-past-dependencies", "database-reached"})

# These leave open whence a leak's place came.
BESIDE = WEAK | {"engine-differs-by-process"}

# These say how it was reached: where the cause is known, nothing of theirs is left to be proved.
HOW_REACHED = WEAK | {
    "background-task-session", "middleware-session", "thread-session", "lifespan-engine", "engine-not-replaced",
    "session-kept", "database-reached",
}


def findings(evidence: Evidence, reached: tuple[Reach, ...], allowed: Allowed) -> tuple[Finding, ...]:
    """Everything that is wrong in one run; a leak that no question explains is told as what it is."""
    case = case_of(evidence, reached, allowed)
    found = [finding for question in QUESTIONS for finding in question(case)]
    strong = [finding for finding in found if finding.kind not in BESIDE or finding.told("overridden")]
    found += [finding for leak in case.leaks if not _explained(leak, strong) for finding in told(case, leak)]
    found = [
        finding
        for finding in found
        if finding.kind not in WEAK or finding.told("overridden") or not _said_better(finding, found)
    ]
    return tuple({(finding.kind, finding.file, finding.line): finding for finding in reversed(found)}.values())[::-1]


def _said_better(weak: Finding, found: list[Finding]) -> bool:
    """Tell whether another finding says more about the same tests and database."""
    return any(
        finding.kind not in WEAK
        and set(weak.databases) <= set(finding.databases)
        and set(weak.tests) <= set(finding.tests)
        for finding in found
    )


def _explained(leak: Leak, found: list[Finding]) -> bool:
    return any(leak.database.id in finding.databases and set(leak.tests) <= set(finding.tests) for finding in found)
