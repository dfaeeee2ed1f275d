"""variable-missing: a variable is not set, and the application's default names the database."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case
from kit.analysis.model import Finding, first
from kit.detectors.kind import Explanation, Kind, Strength, never
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import set_to_allowed
from kit.detectors.variables.default_taken import MissingAbout, default_finding, missing_read

NAME = "variable-missing"


def detect(case: Case) -> Iterator[Finding[MissingAbout]]:
    """For each leak: was a variable missing when the application read it, and does its default lead to the leak?"""
    for leak in case.leaks:
        asked = missing_read(case, leak)
        if asked is not None:
            yield default_finding(case, leak, NAME, asked, "", first(case.evidence.chain(asked)), (), "")


def interventions(finding: Finding[MissingAbout], context: Context) -> Iterator[Candidate]:
    """Set the variable to another database."""
    yield set_to_allowed(finding, context, finding.about.variable, finding.about.url, advice(finding))


def advice(finding: Finding[MissingAbout]) -> str:
    """Set the variable."""
    return (
        f"Set {finding.about.variable} to the test database at the top of conftest.py, before the application is "
        f"imported (or reads it, at {finding.where})."
    )


KIND = Kind(
    NAME,
    "A variable that is not set",
    Explanation(
        what="The application reads a variable that is not set, and its default names the database.",
        comes_about="The tests, or the CI job, do not set the variable, and the default is a developer's or the "
        "production database.",
        example="""
        url = os.environ.get("DATABASE_URL", "sqlite:///prod.db")   # and nothing sets DATABASE_URL
        """,
        proved="A re-run with the variable naming another database.",
        to_do="Set it at the top of conftest.py, before the application is imported.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    never,
    because="{variable} is not set, and the default at {where} is used",
)
