"""middleware-session: a middleware that opens a database, which no override reaches."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, of_leak
from kit.analysis.model import Finding, Nothing
from kit.analysis.past_override import culprit, opened_by
from kit.detectors.kind import Explanation, Kind, Strength, Without

NAME = "middleware-session"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each leak by a middleware: which line opened it, or made its engine?"""
    for leak in case.leaks:
        if leak.first.how == KIND.route:
            message = opened_by(case, leak, "a middleware, which no override reaches")
            yield of_leak(case, leak, NAME, message, culprit(case, leak), Nothing())


def advice(finding: Finding[Nothing]) -> str:
    """Let tests set what it goes by."""
    return advice_at(finding.where)


def advice_at(where: str) -> str:
    """What to do about the middleware whose culprit is at a location."""
    return (
        f"No override reaches a middleware: let the one at {where} go by what the application holds "
        "(request.app.state), or by what it is given when it is added, so that tests can set it."
    )


KIND = Kind(
    NAME,
    "A middleware with a session of its own",
    Explanation(
        what="A middleware opened a session or a connection on the application's own engine.",
        comes_about="A middleware runs around the route, outside dependency injection: no override reaches it.",
        example="""
        @app.middleware("http")
        async def count(request, call_next):
            async with SessionLocal() as db:   # the module's own factory
                ...
        """,
        proved="A re-run leads what the middleware opens to the tests' engine.",
        to_do="Let the middleware take its session factory from request.app.state, and let the tests set that.",
    ),
    Strength.ROUTE,
    detect,
    Without("what is tried for every leak proves it: the session, or the engine, led to the tests' own"),
    advice,
    route="middleware",
)
