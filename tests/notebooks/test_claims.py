from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from kit.investigate import investigate
from kit.investigate.results import NotebookRun
from tests.notebooks.sources import NOTEBOOKS, claims, companions, mutations, parameters, read

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


@each_notebook
def test_every_claim_holds_and_every_exercise_can_be_solved(path: Path, tmp_path: Path) -> None:
    """With its defaults a notebook ends green, all its claims were made, and its solutions pass their checks."""
    result = investigate([*companions(path), path], jobs=1, out=tmp_path, solved=True)
    assert result.exit_code == 0, result.reason
    run = result.notebooks[-1]
    assert [claim.id for claim in run.claims] == claims(read(path))
    assert all(exercise.done for exercise in run.exercises), run.exercises


@pytest.mark.timeout(1200)  # a notebook for each claim, on a machine that may be busy
@each_notebook
def test_every_claim_can_fall(path: Path, tmp_path: Path) -> None:
    """Each mutation ends the notebook red at its own claim, and at no earlier one."""
    notebook, changes = read(path), {mutation.claim: mutation for mutation in mutations(path)}
    for claim, mutation in changes.items():
        nbformat.write(mutation.applied_to(notebook), tmp_path / f"{claim}.ipynb")
    mutated = [tmp_path / f"{claim}.ipynb" for claim in changes]
    result = investigate([*companions(path), *mutated], parameters(path), jobs=1, out=tmp_path / "runs")
    assert result.exit_code == 1, result.reason
    fell = {run.name: fallen(run) for run in result.notebooks if run.name in changes}
    assert fell == {claim: [claim] for claim in changes}


def fallen(run: NotebookRun) -> list[str]:
    """The claims that fell; the reason, where the run ended otherwise."""
    return [claim.id for claim in run.claims if not claim.held] or [run.reason]
