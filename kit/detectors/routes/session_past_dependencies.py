"""session-past-dependencies: code of a request opened a session without a dependency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, of_leak
from kit.analysis.model import Finding
from kit.analysis.past_override import bypassing_line, opened_by, overridden
from kit.detectors.kind import Explanation, Kind, Strength, Without

NAME = "session-past-dependencies"


@dataclass(frozen=True, slots=True)
class About:
    """Whether an override was in effect in the test, which this session bypassed."""

    overridden: bool


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak in a request without a dependency: which line opened it?"""
    for leak in case.leaks:
        if leak.first.how == "without a dependency":
            message = opened_by(case, leak, "code that did not get it from a dependency")
            yield of_leak(case, leak, NAME, message, bypassing_line(case, leak), About(overridden(case, leak)))


def settles(finding: Finding[About]) -> bool:
    """Whether an override was set: only then is the session a defect by itself."""
    return finding.about.overridden


def advice(finding: Finding[About]) -> str:
    """Take the session from the dependency."""
    return f"At {finding.where} take the session from the dependency, so that an override applies to it."


KIND = Kind(
    NAME,
    "A session opened without a dependency",
    Explanation(
        what="The code of a request opened a session or a connection that it did not get from a dependency.",
        comes_about="A repository or a service takes the module's session factory or engine itself. FastAPI replaces "
        "only what is in Depends(...).",
        example="""
        @app.get("/sites")
        def sites():
            with SessionLocal() as db:         # and not db=Depends(get_db)
                return db.scalars(select(Site)).all()
        """,
        proved="A re-run binds that session to the tests' engine, or redirects that connection to the override's "
        "database.",
        to_do="Take the session as a dependency and pass it down to what needs it.",
    ),
    Strength.WEAK,
    detect,
    Without("re-runs try it for every leak: the session, or the engine, redirected to the tests' own"),
    advice,
    settles,
)
