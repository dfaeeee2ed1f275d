"""thread-session: a thread of the application opens a database, to which overrides do not apply."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, of_leak
from kit.analysis.model import Finding, Nothing
from kit.analysis.past_override import bypassing_line, opened_by
from kit.detectors.kind import Explanation, Kind, Strength, Without

NAME = "thread-session"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each leak by a thread of the application: which line opened it?"""
    for leak in case.leaks:
        if leak.first.how == KIND.route:
            message = opened_by(case, leak, f"thread {leak.first.entry.thread}, to which overrides do not apply")
            yield of_leak(case, leak, NAME, message, bypassing_line(case, leak), Nothing())


def advice(finding: Finding[Nothing]) -> str:
    """Pass the thread its session factory."""
    return (
        f"Overrides do not apply to a thread: pass its session factory to the code at {finding.where} as an argument, "
        "so that tests can set it."
    )


KIND = Kind(
    NAME,
    "A thread with a session of its own",
    Explanation(
        what="A thread that the application started opened a session on the application's own engine.",
        comes_about="A scheduler, an executor or a thread of the application's own runs outside every request: "
        "overrides belong to requests.",
        example="""
        def refresh():
            with SessionLocal() as db:         # the module's own factory
                ...

        threading.Thread(target=refresh).start()
        """,
        proved="A re-run redirects the engine, or the session, of the thread to the tests' own.",
        to_do="Pass the thread its session factory, so that tests can pass another.",
    ),
    Strength.ROUTE,
    detect,
    Without("re-runs try it for every leak: the session, or the engine, redirected to the tests' own"),
    advice,
    route="thread",
)
