"""configured-by-the-tests: a call in test code makes the application create the engine of the wrong database."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, of_leak, within
from kit.analysis.model import Finding, Nothing, location
from kit.analysis.reach import called_by_tests
from kit.analysis.url_source import url_source_of
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import without_statement

NAME = "configured-by-the-tests"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each leak: did the application make its engine when test code called it, with a URL from no variable?"""
    for leak in case.leaks:
        if leak.engine is None or url_source_of(case.evidence, leak.first).variable is not None:
            continue
        chain = case.evidence.chain(leak.engine)
        caller = called_by_tests(chain, case.of_tests)
        if caller is not None:
            yield of_leak(
                case,
                leak,
                NAME,
                f"{leak.database.name} answered {within(leak.tests)}: {location(caller.file, caller.line)} makes the "
                f"application create its engine ({case.stack_text(chain[:3])}).",
                caller,
                Nothing(),
            )


def interventions(finding: Finding[Nothing], context: Context) -> Iterator[Candidate]:
    """Leave out the call."""
    return without_statement(finding, context, advice(finding))


def advice(finding: Finding[Nothing]) -> str:
    """Pass the test database in the call."""
    return f"At {finding.where} name the test database, or leave the application as conftest.py sets it up."


KIND = Kind(
    NAME,
    "An engine that the application makes on a call of the tests",
    Explanation(
        what="A line of the tests calls the application, which then makes the engine of the wrong database.",
        comes_about="A test or a fixture calls init_db(), create_app() or a factory with arguments, or without those "
        "that would name the test database.",
        example="""
        def test_report():
            database.init()                    # with the default URL, after conftest.py had set another
        """,
        proved="A re-run without that call.",
        to_do="Pass the test database there, or do not set the application up again.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
