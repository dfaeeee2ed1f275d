from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import nbformat
import pytest

from kit import warm
from kit.investigate import investigate
from kit.investigate.results import Investigation, NotebookRun, Status
from kit.pair import Pair
from kit.runner import usable_cpus
from kit.seat import base_environ
from kit.store import RUN_VARIABLE, SHELF_VARIABLE, Run
from tests.notebooks.falling import what_fell
from tests.notebooks.sources import NOTEBOOKS, claims, companions, for_mutations, mutations, read


@pytest.mark.usefixtures("shared_trials")
@pytest.mark.timeout(1200)  # the full design, on a machine that may be busy
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_every_claim_holds_and_can_fall(path: Path, tmp_path: Path, own_pair: Pair) -> None:
    """A notebook ends green with its exercises solved; changed for one of its claims, it falls at this and no earlier.

    All changes are made in one kernel, which shares the trials of the green run. The first is also a notebook of its
    own beside it, whose end makes the run red.
    """
    notebook, changes = read(path), mutations(path)
    red = tmp_path / f"{changes[0].claim}.ipynb"
    nbformat.write(changes[0].applied_to(for_mutations(path)), red)
    green, with_red = run_both(path, red, tmp_path / "runs")
    assert_green(run_of(path, green), claims(notebook))
    assert fallen(run_of(red, with_red)) == [changes[0].claim]
    assert with_red.exit_code == 1

    assert green.folder is not None
    run = Run(green.folder)
    environ = {**os.environ, RUN_VARIABLE: str(run.folder), SHELF_VARIABLE: str(run.shelf.folder)}
    with warm.parents(sys.executable, base_environ(sys.executable), usable_cpus()) as lent:
        environ[warm.LENT_VARIABLE] = warm.lend(lent)
        fell = asyncio.run(what_fell(for_mutations(path), changes, path.parent, environ))
    assert fell == {claim: claim for claim in claims(notebook)}


def run_both(green: Path, red: Path, out: Path) -> tuple[Investigation, Investigation]:
    """One run of both, which share their trials; two where a notebook reads what its run has found."""
    before = companions(green)
    if not before:
        both = investigate([green, red], jobs=1, out=out, solved=True)
        return both, both
    first, second = (investigate([*before, path], jobs=1, out=out, solved=True) for path in (green, red))
    return first, second


def run_of(path: Path, result: Investigation) -> NotebookRun:
    """What came of one notebook."""
    assert result.notebooks, result.reason
    return next(run for run in result.notebooks if run.name == path.stem)


def assert_green(run: NotebookRun, foretold: list[str]) -> None:
    """Every claim of the notebook's text was made and held, and every solution passed its check."""
    assert run.status is Status.HELD, run.reason
    assert [claim.id for claim in run.claims] == foretold
    assert all(exercise.done for exercise in run.exercises), run.exercises


def fallen(run: NotebookRun) -> list[str]:
    """The claims that fell; the reason, where the run ended otherwise."""
    return [claim.id for claim in run.claims if not claim.held] or [run.reason]
