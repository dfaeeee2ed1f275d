"""variable-set-wrong: code of the run sets the variable to the wrong database."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case
from kit.analysis.model import Finding
from kit.detectors.kind import Explanation, Kind, Strength, never
from kit.detectors.planning.allowed_databases import naming, value_instead
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import without_statement
from kit.detectors.variables.holding_url import HeldAbout, held_by_variable
from kit.probes.interventions.variables import PinVariable

NAME = "variable-set-wrong"


def detect(case: Case) -> Iterator[Finding[HeldAbout]]:
    """For each leak: does its URL come from a variable that was set during the run?"""
    for leak in case.leaks:
        yield from held_by_variable(case, leak, NAME, inherited=False)


def interventions(finding: Finding[HeldAbout], context: Context) -> Iterator[Candidate]:
    """Leave out the statement, or make the variable name another database throughout."""
    name, value = finding.about.variable, finding.about.value
    pinned = PinVariable(name, value_instead(context, value))
    label = f"{naming(context, name, value)} throughout"
    yield from without_statement(finding, context, advice(finding), (pinned,), label)
    # Without the statement, the variable may still have the same value.
    yield Candidate(finding, label, (pinned,), advice(finding))


def advice(finding: Finding[HeldAbout]) -> str:
    """Set the variable to the test database."""
    return f"At {finding.where} set {finding.about.variable} to the test database."


KIND = Kind(
    NAME,
    "A variable set to the wrong database",
    Explanation(
        what="A line of the tests or of the application sets the variable that names the database, to the wrong one.",
        comes_about="conftest.py, a test or a script copies the application's URL, or names a developer's database.",
        example="""
        os.environ["DATABASE_URL"] = "sqlite:///prod.db"   # conftest.py
        """,
        proved="A re-run without the statement, or with the variable naming another database throughout.",
        to_do="Set it to the test database there.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    never,
    because="{where} sets {variable}",
)
