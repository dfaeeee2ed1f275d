"""database-reached: a database was reached that should not have been, and nothing more is known."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, of_leak, within
from kit.analysis.model import Finding, Nothing, fact, first
from kit.analysis.starters import starter
from kit.detectors.kind import Explanation, Kind, Strength, Without, never

NAME = "database-reached"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """One finding for each leak, with its call stack."""
    word = "is not allowed" if case.allowed.patterns is not None else "is not a database that the tests configure"
    for leak in case.leaks:
        started = starter(case.evidence, leak.first.entry) if leak.opener is None else None
        by = case.stack_text(leak.first.chain[:4]) or "no code of the project"
        if started is not None:
            by = f"{started.program}, which {first(case.evidence.chain(started)) or 'the program'} starts"
        yield of_leak(
            case,
            leak,
            NAME,
            f"{leak.database.name}, which {word}, was reached by {by} ({leak.first.how}) {within(leak.tests)}.",
            leak.opener if started is None else first(case.evidence.chain(started)),
            Nothing(),
            () if started is None else (fact(case.evidence, started, f"{started.program} started"),),
        )


def advice(finding: Finding[Nothing]) -> str:
    """Look at the code that opens it."""
    return f"Look up what {finding.where} uses, and configure the tests' own database there."


KIND = Kind(
    NAME,
    "A database that should not have been reached",
    Explanation(
        what="A database was reached that is not on the allow-list or, without a list, is not one that the tests "
        "configure.",
        comes_about="No other kind explains why. The call stack in its evidence shows what opened it; for a process "
        "that runs no code of the project, what started it.",
        example="""
        subprocess.run([sys.executable, "-c", "import sqlite3; sqlite3.connect('prod.db')..."])
        """,
        proved="Re-runs try what they try for every leak: without variables, files and modules, and with the engine "
        "redirected.",
        to_do="Look at the call stack; if the database is meant for tests, allow it (--allow DB).",
    ),
    Strength.WEAK,
    detect,
    Without("it names no cause that a re-run could remove"),
    advice,
    never,
)
