"""route-without-provider: a route belongs to no application, so overrides are never looked up for it."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case
from kit.analysis.model import Finding
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.overrides.another_application import AppAbout, applied_everywhere, override_on_other_app
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context

NAME = "route-without-provider"


def detect(case: Case) -> Iterator[Finding[AppAbout]]:
    """Was a leak's request served by a route for which overrides are never looked up?"""
    return override_on_other_app(case, NAME, consulted=False)


def interventions(finding: Finding[AppAbout], context: Context) -> Iterator[Candidate]:
    """Apply the override in every application."""
    return applied_everywhere(finding, context, advice(finding))


def advice(finding: Finding[AppAbout]) -> str:
    """Let the application add the route."""
    return (
        f"Let {finding.about.made} add the route itself (add_api_route, a decorator, include_router), not as an "
        "APIRoute made by hand: overrides are looked up only for routes that the application adds."
    )


KIND = Kind(
    NAME,
    "A route for which no override is looked up",
    Explanation(
        what="The route that served the request belongs to no application, so that its dependencies have no overrides.",
        comes_about="An APIRoute is made by hand and appended to app.routes: only routes that the application or a "
        "router adds are given the provider of its overrides.",
        example="""
        app.router.routes.append(APIRoute("/sites", list_sites))
        app.dependency_overrides[get_db] = get_test_db   # never looked up for that route
        """,
        proved="A re-run applies the override in every application, and to routes without one.",
        to_do="Add the route with the application's own methods.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
