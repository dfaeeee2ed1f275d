"""Each project shows what is said of it, with nothing of the kit in, under both sets of versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kit.trials.stacks import stack
from tests.cases.cases import ALSO, CASES, CLEAN, CULPRIT, FAULTY, STACKS, Case, Prepared, marked


@pytest.fixture(params=STACKS)
def python(request: pytest.FixtureRequest) -> Path:
    return stack(request.param).python


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_symptom_shows(case: Case, python: Path, prepare: Callable[[Case], Prepared]) -> None:
    """The project's tests end as predicted, and leave in its databases what is predicted."""
    prepared = prepare(case)
    ran = prepared.run(python)
    assert ran.outcomes == case.outcomes, ran.output
    for database in case.databases:
        for question, answer in database.after.items():
            assert prepared.ask(database, question) == answer, ran.output


@pytest.mark.parametrize(
    ("case", "test", "outcome"),
    [(case, *alone) for case in CASES for alone in case.alone.items()],
    ids=lambda value: value.name if isinstance(value, Case) else "",
)
def test_alone_it_ends_otherwise(
    case: Case, test: str, outcome: str, python: Path, prepare: Callable[[Case], Prepared]
) -> None:
    """A test that owes its end to another one ends otherwise when it is run alone."""
    ran = prepare(case).run(python, test)
    assert ran.outcomes == {test: outcome}, ran.output
    assert case.outcomes[test] != outcome


def test_every_project_is_named_after_its_kind() -> None:
    """A project with a fault has the name of the kind that it shows; there are clean ones in at least five styles."""
    assert [case.name for case in FAULTY] == [case.finding["kind"] for case in FAULTY if case.finding]
    assert len(CLEAN) >= 5
    assert all(case.name.startswith("clean_") for case in CLEAN)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_marks_the_culprit_is_nothing_else(case: Case) -> None:
    """A project with a fault marks its culprit where its finding says; a clean one marks nothing, and none is told."""
    found = {
        (path.relative_to(case.source / case.folder).as_posix(), mark)
        for pattern in ("*.py", "*.conf", "*.ini") for path in case.source.rglob(pattern) for mark in (CULPRIT, ALSO)
        if marked(path.parent, path.name, mark).lines
    }
    culprits = {file for file, mark in found if mark == CULPRIT}
    assert culprits == ({case.finding["file"], case.cause.file} if case.finding else set())
    assert case.finding or not found
