"""variable-removed: code of the project removes the variable that names the test database."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case
from kit.analysis.model import Finding, fact, first
from kit.analysis.url_source import writer
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import set_to_allowed, without_statement, without_test
from kit.detectors.variables.default_taken import MissingAbout, default_finding, missing_read, removal_of

NAME = "variable-removed"


def detect(case: Case) -> Iterator[Finding[MissingAbout]]:
    """For each leak from a default: did code of the project remove the variable before it was read?"""
    for leak in case.leaks:
        asked = missing_read(case, leak)
        removal = removal_of(case, asked) if asked is not None else None
        if asked is None or removal is None:
            continue
        other = removal.test if removal.test and removal.test not in leak.tests else ""
        yield default_finding(
            case,
            leak,
            NAME,
            asked,
            f" any more: {writer(case.evidence, removal)} removed it{f' in {other}' if other else ''}",
            first(case.evidence.chain(removal)),
            (fact(case.evidence, removal, f"{removal.name} removed"),),
            other,
        )


def interventions(finding: Finding[MissingAbout], context: Context) -> Iterator[Candidate]:
    """Leave out the test or the statement that removes it, or set the variable to another database."""
    yield from without_test(finding, finding.about.test, advice(finding))
    yield from without_statement(finding, context, advice(finding))
    yield set_to_allowed(finding, context, finding.about.variable, finding.about.url, advice(finding))


def advice(finding: Finding[MissingAbout]) -> str:
    """Restore the variable."""
    return (
        f"At {finding.where} restore {finding.about.variable} (monkeypatch.delenv does, at the end of the test), or "
        "do not remove it there."
    )


KIND = Kind(
    NAME,
    "A variable that a test removes",
    Explanation(
        what="The variable that names the test database was removed from the environment: the application uses its "
        "default.",
        comes_about="A test of the settings deletes the variable with os.environ.pop and does not restore it.",
        example="""
        def test_default_url():
            del os.environ["DATABASE_URL"]     # and not monkeypatch.delenv
            assert Settings().url == DEFAULT
        """,
        proved="A re-run without that test or that statement, or with the variable naming another database.",
        to_do="Remove it with monkeypatch.delenv, which restores it.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} removes {variable}",
)
