"""override-on-wrong-app: the override was set on one application, and another one served the request."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case
from kit.analysis.model import Finding
from kit.analysis.overrides import Mismatch
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.overrides.another_application import AppAbout, applied_everywhere, override_on_other_app
from kit.detectors.overrides.shared import on_keys
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context

NAME = "override-on-wrong-app"


def detect(case: Case) -> Iterator[Finding[AppAbout]]:
    """Is there an override of a leak's dependency on an application that did not serve the request?"""
    yield from override_on_other_app(case, NAME, consulted=True)
    for key, found in on_keys(case, NAME, Mismatch.OTHER_APPLICATION):
        yield Finding(
            NAME,
            found.message,
            found.file,
            found.line,
            AppAbout(key.name, ""),
            found.evidence,
            found.databases,
            found.tests,
        )


def interventions(finding: Finding[AppAbout], context: Context) -> Iterator[Candidate]:
    """Apply the override in every application."""
    return applied_everywhere(finding, context, advice(finding))


def advice(finding: Finding[AppAbout]) -> str:
    """Set the override on the application that serves the request."""
    return (
        f"Set the override of {finding.about.key} on the application that serves the request (the mounted one, or the "
        f"one that the test's client was given), not on the one at {finding.where}."
    )


KIND = Kind(
    NAME,
    "An override on another application",
    Explanation(
        what="An override was set on one FastAPI application, and another one served the request.",
        comes_about="create_app() is called twice, the test's client has an application of its own, or the route "
        "belongs to a mounted application, which has overrides of its own.",
        example="""
        from app.main import app
        app.dependency_overrides[get_db] = get_test_db
        client = TestClient(create_app())      # another application
        """,
        proved="A re-run applies the override in every application.",
        to_do="Set the override on the application that serves the request.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
