"""Each project under --db-guard: stopped where it reaches a database off its list, left alone where it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kit.trials.stacks import stack
from tests.cases.cases import CASES, STACKS, Case, Prepared

ROOT = Path(__file__).parents[2]
PLUGIN = ("-p", "no:kit-db-guard", "-p", "kit.guard.plugin")  # the kit is not installed in each stack


@pytest.fixture(params=STACKS)
def python(request: pytest.FixtureRequest) -> Path:
    return stack(request.param).python


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_guarded(case: Case, python: Path, prepare: Callable[[Case], Prepared]) -> None:
    """What reaches a forbidden database fails, naming it, before anything is written there; all else ends as before."""
    prepared = prepare(case)
    allow = "db_guard_allow=" + "\n".join(prepared.allow)
    ran = prepared.run(python, options=(*PLUGIN, "--db-guard", "-o", allow), path=ROOT)
    if not case.forbidden:
        assert ran.outcomes == case.outcomes, ran.output
        assert " requested " not in ran.output
        return
    assert ran.exit_code != 0
    output = ran.output.replace("postgresql://projectuser@", "")
    assert [database for database in prepared.forbidden if f" requested {database}" not in output] == []
    for database in case.databases:
        for question, answer in database.after.items():
            assert prepared.ask(database, question) != answer, ran.output
