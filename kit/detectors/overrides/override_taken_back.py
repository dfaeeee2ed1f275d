"""override-taken-back: the fixture that set the override removed it before the test needed it."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, Leak, of_leak
from kit.analysis.model import Finding, Nothing, fact, first
from kit.analysis.override_lifetime import Removal, author_of, is_removed_early, removal_before
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import without_statement

NAME = "override-taken-back"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each leak: did the code that set the override for its test remove it too early?"""
    for leak in case.leaks:
        removal = removal_before(case, leak) if leak.first.how == "dependency" else None
        if removal is not None and is_removed_early(leak, removal):
            yield _finding(case, leak, removal)


def _finding(case: Case, leak: Leak, removal: Removal) -> Finding[Nothing]:
    was_set, removed = removal.was_set, removal.removed
    by, setter = first(case.evidence.chain(removed)), first(case.evidence.chain(was_set))
    assert leak.first.dependency is not None
    return of_leak(
        case,
        leak,
        NAME,
        f"app.dependency_overrides[{leak.first.dependency.name}], set by {author_of(was_set)} ({setter}), was removed "
        f"({by}) before {removed.test} made its request: {leak.database.name} answered.",
        by,
        Nothing(),
        (fact(case.evidence, was_set, "override set"), fact(case.evidence, removed, "override removed")),
    )


def interventions(finding: Finding[Nothing], context: Context) -> Iterator[Candidate]:
    """Leave out the statement that removes it."""
    return without_statement(finding, context, advice(finding))


def advice(finding: Finding[Nothing]) -> str:
    """Remove the override at the end of the test."""
    return (
        f"Remove the override at {finding.where} only when the test is over: in a fixture, yield inside the `with` "
        "that sets it, instead of returning after it."
    )


KIND = Kind(
    NAME,
    "An override removed too early",
    Explanation(
        what="A fixture set the override for a test and removed it before the test made its request.",
        comes_about="The fixture returns the client from inside a `with` that sets the override, or removes it before "
        "its yield.",
        example="""
        @pytest.fixture
        def client():
            with overridden(get_db, get_test_db):
                return TestClient(app)         # the `with` ends here, before the test begins
        """,
        proved="A re-run without the statement that removes it.",
        to_do="Yield inside the `with`, so that the override stays until the test is over.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} removes the override before the test is over",
)
