"""variable-inherited: a variable that was set before the command began names the database."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case
from kit.analysis.model import Finding
from kit.detectors.kind import Explanation, Kind, Strength, never
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import without_variable
from kit.detectors.variables.holding_url import HeldAbout, held_by_variable

NAME = "variable-inherited"


def detect(case: Case) -> Iterator[Finding[HeldAbout]]:
    """For each leak: does its URL come from a variable that the command inherited?"""
    for leak in case.leaks:
        yield from held_by_variable(case, leak, NAME, inherited=True)


def interventions(finding: Finding[HeldAbout], context: Context) -> Iterator[Candidate]:
    """Remove the variable from the environment."""
    if finding.about.variable:
        yield without_variable(finding, context, finding.about.variable, advice(finding))


def advice(finding: Finding[HeldAbout]) -> str:
    """Do not set the variable, or set it for the tests."""
    return (
        f"Do not set {finding.about.variable} where the tests run (the shell, the Makefile, the CI job), or set it to "
        "the test database at the top of conftest.py, before the application is imported."
    )


KIND = Kind(
    NAME,
    "A variable inherited from what started the command",
    Explanation(
        what="A variable that was set before the command began names the database, and the tests set no other.",
        comes_about="The shell, a Makefile, a container or the CI job exports the application's own URL.",
        example="""
        $ export DATABASE_URL=postgresql://production/app
        $ pytest
        """,
        proved="A re-run without the variable, or with it naming another database.",
        to_do="Do not export it where the tests run, or set it at the top of conftest.py.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    never,
)
