"""middleware-session: a middleware opens a database, to which overrides do not apply."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, of_leak
from kit.analysis.model import Finding, Nothing
from kit.analysis.past_override import bypassing_line, opened_by
from kit.detectors.kind import Explanation, Kind, Strength, Without

NAME = "middleware-session"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each leak by a middleware: which line opened the database or made its engine?"""
    for leak in case.leaks:
        if leak.first.how == KIND.route:
            message = opened_by(case, leak, "a middleware, to which overrides do not apply")
            yield of_leak(case, leak, NAME, message, bypassing_line(case, leak), Nothing())


def advice(finding: Finding[Nothing]) -> str:
    """Let the middleware use what tests can set."""
    return advice_at(finding.where)


def advice_at(where: str) -> str:
    """The advice about the middleware at a location."""
    return (
        f"Overrides do not apply to a middleware: let the one at {where} use what the application holds "
        "(request.app.state), or its own arguments, so that tests can set it."
    )


KIND = Kind(
    NAME,
    "A middleware with a session of its own",
    Explanation(
        what="A middleware opened a session or a connection on the application's own engine.",
        comes_about="A middleware runs around the route, outside dependency injection: overrides do not apply to it.",
        example="""
        @app.middleware("http")
        async def count(request, call_next):
            async with SessionLocal() as db:   # the module's own factory
                ...
        """,
        proved="A re-run redirects the connections of the middleware to the tests' engine.",
        to_do="Let the middleware take its session factory from request.app.state, and let the tests set that.",
    ),
    Strength.ROUTE,
    detect,
    Without("re-runs try it for every leak: the session, or the engine, redirected to the tests' own"),
    advice,
    route="middleware",
)
