"""override-not-in-test: the fixture that sets the override does not run for the tests that need it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from kit.analysis.case import Case, Leak, describe_tests, of_leak
from kit.analysis.model import Finding, fact, first
from kit.analysis.override_lifetime import author_of, explains_leak, removal_before
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.evidence.model import Frame, Override
from kit.probes.interventions.overrides import ApplyOverride
from kit.probes.interventions.tests import RunFirst

NAME = "override-not-in-test"


@dataclass(frozen=True, slots=True)
class About:
    """The fixture that sets the override, the overridden dependency, and the first test in which it did.

    `move_to` is the file in which the fixture would be available to all the tests; "" if it is available already.
    """

    fixture: str
    key: str
    setter: str
    move_to: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak that no removal explains: is the override set by a fixture that none of its tests uses?"""
    for leak in case.leaks:
        if leak.first.how == "dependency" and not explains_leak(leak, removal_before(case, leak)):
            sets = list(_fixture_overrides(case, leak))
            if sets and not any(change.test in leak.tests for change in sets):
                yield _finding(case, leak, sets)


def _fixture_overrides(case: Case, leak: Leak) -> Iterator[Override]:
    """The overrides set by fixtures; one of wider scope counts only if it is not available to the leak's tests."""
    dependency = leak.first.dependency
    for change in case.evidence.overrides:
        if dependency is None or change.key != dependency.callable or change.op == "removed":
            continue
        if change.fixture is None or change.test is None:
            continue
        if change.scope == "function" or _out_of_reach(first(case.evidence.chain(change)), leak):
            yield change


def _finding(case: Case, leak: Leak, sets: list[Override]) -> Finding[About]:
    assert leak.first.dependency is not None
    name, setter = leak.first.dependency.name, first(case.evidence.chain(sets[0]))
    others = dict.fromkeys(change.test for change in sets if change.test is not None)
    why, to = _explain_absence(setter, leak)
    return of_leak(
        case,
        leak,
        NAME,
        f"{author_of(sets[0])} ({setter}) overrides {name} in {describe_tests(others)}, and not in "
        f"{describe_tests(leak.tests)}: {why}. {leak.database.name} answered.",
        setter,
        About(sets[0].fixture or "", name, sets[0].test or "", to),
        (fact(case.evidence, sets[0], "override set"),),
    )


def _out_of_reach(setter: Frame | None, leak: Leak) -> bool:
    """Whether a fixture's file, a conftest.py or a module, applies to none of a leak's tests."""
    if setter is None or not leak.tests:
        return False
    folder, _, name = setter.file.rpartition("/")
    reached = f"{folder}/" if folder and name == "conftest.py" else "" if name == "conftest.py" else f"{setter.file}::"
    return not any(test.startswith(reached) for test in leak.tests)


def _explain_absence(setter: Frame | None, leak: Leak) -> tuple[str, str]:
    """Why the leak's tests do not use a fixture, and the file to move it to so that they can."""
    if setter is None or not _out_of_reach(setter, leak):
        return "these tests do not request the fixture, or a nearer one has its name", ""
    folder = setter.file.rpartition("/")[0]
    files = [test.partition("::")[0] for test in leak.tests]
    shared = os.path.commonpath([folder, *(os.path.dirname(file) for file in files)])
    to = f"{shared}/conftest.py" if shared else "conftest.py"
    if setter.file.endswith("conftest.py"):
        return f"{setter.file} applies to the tests in {folder} only, and {files[0]} is not there", to
    return f"the fixture is defined in {setter.file}, and not available in {files[0]}", to


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Keep the override from the test that sets it, and run that test first if others run before it."""
    key, setter = finding.about.key, finding.about.setter
    order = [outcome.test for outcome in context.case.evidence.outcomes]
    late = set(finding.tests) & set(order[: order.index(setter)]) if setter in order else ()
    first_run = (RunFirst((setter,)),) if late else ()
    kept = ApplyOverride(key, key, kept=True)
    label = f"with the override of {key} kept from {setter} on"
    yield Candidate(finding, label, (kept, *first_run), _advise_on_shadowing(finding, context))


def _advise_on_shadowing(finding: Finding[About], context: Context) -> str:
    """The advice for tests without the fixture: a nearer fixture of the same name may hide it."""
    name = finding.about.fixture
    for file in _nearer(finding):
        for number, line in enumerate((context.text_of(file) or "").splitlines(), 1):
            if re.match(rf"\s*(async )?def {re.escape(name)}\(", line):
                return (
                    f"The fixture {name} at {file}:{number} replaces the one at {finding.where}: let it request that "
                    f"one (def {name}({name})), or give it another name and use both."
                )
    return advice(finding)


def _nearer(finding: Finding[About]) -> Iterator[str]:
    """The files in which pytest looks for a fixture before it comes to the finding's own file."""
    for module in dict.fromkeys(test.partition("::")[0] for test in finding.tests):
        folder = PurePosixPath(module).parent
        for file in (module, *(str(above / "conftest.py") for above in (folder, *folder.parents))):
            if file == finding.file:
                break
            yield file


def advice(finding: Finding[About]) -> str:
    """Use the fixture in all the tests."""
    fixture, to = finding.about.fixture, finding.about.move_to
    if to:
        return (
            f"Move {fixture} from {finding.file or ''} to {to}, where it applies to all these tests, and make it "
            "autouse there."
        )
    return f"Let the other tests request {fixture} (as a parameter, by usefixtures), or make it autouse."


KIND = Kind(
    NAME,
    "A fixture with the override that some tests do not use",
    Explanation(
        what="A fixture overrides the database's dependency, and the tests that reached the wrong database do not use "
        "it.",
        comes_about="The tests do not request the fixture, its conftest.py is not in a folder above them, or a "
        "fixture of the same name overrides it.",
        example="""
        # tests/unit/conftest.py: counts for tests/unit alone
        @pytest.fixture(autouse=True)
        def test_database():
            app.dependency_overrides[get_db] = get_test_db
        """,
        proved="A re-run keeps the override from the first test that has it.",
        to_do="Move the fixture to a conftest.py above all the tests and make it autouse, or request it.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
