"""override-leaked: a test set an override for itself, and later tests still get it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, describe_tests, of_leak
from kit.analysis.model import Finding, fact, first
from kit.analysis.override_lifetime import Changes, author_of
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import without_test
from kit.evidence.model import Override

NAME = "override-leaked"


@dataclass(frozen=True, slots=True)
class About:
    """The test that set the override."""

    test: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak through an override: did another test set it for itself and not remove it?"""
    changes = Changes(case)
    for leak in case.leaks:
        if leak.first.how == "override":
            for was_set, tests in _outlived(changes, leak):
                yield _finding(case, leak, was_set, tests)


def _outlived(changes: Changes, leak: Leak) -> Iterator[tuple[Override, list[str]]]:
    """The overrides that outlived their test, each with the later tests that got them."""
    found: dict[int, tuple[Override, list[str]]] = {}
    for reach in leak.reaches:
        last = changes.last(reach)
        if last is None or last.op == "removed" or last.test in (None, reach.test):
            continue
        # The override of a fixture with a wider scope is meant to last.
        if reach.test and last.scope in (None, "function"):
            found.setdefault(id(last), (last, []))[1].append(reach.test)
    yield from found.values()


def _finding(case: Case, leak: Leak, was_set: Override, tests: list[str]) -> Finding[About]:
    setter = first(case.evidence.chain(was_set))
    assert leak.first.dependency is not None
    return of_leak(
        case,
        leak,
        NAME,
        f"app.dependency_overrides[{leak.first.dependency.name}], set by {author_of(was_set)} ({setter}), was never "
        f"removed; {describe_tests(dict.fromkeys(tests))} after it got {leak.database.name} from it.",
        setter,
        About(was_set.test or ""),
        (fact(case.evidence, was_set, "override set"),),
    )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Leave out the test that sets the override."""
    return without_test(finding, finding.about.test, advice(finding))


def advice(finding: Finding[About]) -> str:
    """Remove the override after the test."""
    return "Take the override back when the test is over: app.dependency_overrides.pop(key, None) in its teardown."


KIND = Kind(
    NAME,
    "An override that outlives its test",
    Explanation(
        what="A test set an override for itself and never removed it: later tests get its database.",
        comes_about="app.dependency_overrides is a global of the application; what a test sets there stays for the "
        "rest of the run, unless something removes it.",
        example="""
        def test_report():
            app.dependency_overrides[get_db] = get_reporting_db
            assert client.get("/report").status_code == 200   # and nobody removes it
        """,
        proved="A re-run without the test that set it.",
        to_do="Set overrides in a fixture that removes them after its yield.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
