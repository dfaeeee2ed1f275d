"""override-cleared-by-other-test: code that did not set an override removed it before the tests that need it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, describe_tests, of_leak
from kit.analysis.model import Finding, fact, first
from kit.analysis.override_lifetime import Removal, author_of, removal_before
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import without_statement, without_test

NAME = "override-cleared-by-other-test"


@dataclass(frozen=True, slots=True)
class About:
    """The test that removed it; "" when it was removed outside the tests."""

    test: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak: was its dependency overridden before, and did other code remove the override?"""
    for leak in case.leaks:
        removal = removal_before(case, leak) if leak.first.how == "dependency" else None
        if removal is not None and not removal.own:
            yield _finding(case, leak, removal)


def _finding(case: Case, leak: Leak, removal: Removal) -> Finding[About]:
    was_set, removed = removal.was_set, removal.removed
    by, setter = first(case.evidence.chain(removed)), first(case.evidence.chain(was_set))
    assert leak.first.dependency is not None
    after = describe_tests(leak.tests) if leak.tests else "what came"
    return of_leak(
        case,
        leak,
        NAME,
        f"app.dependency_overrides[{leak.first.dependency.name}], set by {author_of(was_set)} ({setter}), was removed "
        f"by {author_of(removed)} ({by}); {after} after it ran against {leak.database.name}.",
        by,
        About(removed.test or ""),
        (fact(case.evidence, was_set, "override set"), fact(case.evidence, removed, "override removed")),
    )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Leave out the statement that removes it, or the test that does."""
    yield from without_statement(finding, context, advice(finding))
    yield from without_test(finding, finding.about.test, advice(finding))


def advice(finding: Finding[About]) -> str:
    """Remove only one's own override."""
    return (
        f"At {finding.where} remove only what that test has set (app.dependency_overrides.pop(key, None)), or restore "
        "what was there before; or set the database's override for each test."
    )


KIND = Kind(
    NAME,
    "An override removed by another test",
    Explanation(
        what="The override of the database's dependency was set for many tests, and one test removed it: all tests "
        "after it reach the application's own database.",
        comes_about="A test that sets an override of its own clears app.dependency_overrides at its end, and so "
        "removes the one that a session fixture, or the module, had set.",
        example="""
        def test_login():
            app.dependency_overrides[current_user] = lambda: "somebody"
            ...
            app.dependency_overrides.clear()   # also the database's
        """,
        proved="A re-run without the statement that removes it, or without that test.",
        to_do="Remove only the key that the test has set, or set the database's override for each test.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} removes the override",
)
