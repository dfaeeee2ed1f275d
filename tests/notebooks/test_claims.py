from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from kit.investigate import investigate
from kit.investigate.results import Investigation, NotebookRun, Status
from tests.notebooks.sources import NOTEBOOKS, claims, companions, mutations, parameters, read


@pytest.mark.timeout(1200)  # a kernel for each claim, on a machine that may be busy
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_every_claim_holds_and_can_fall(path: Path, tmp_path: Path) -> None:
    """A notebook ends green with its exercises solved; each mutation ends it red at its own claim, and no earlier."""
    mutated = write_mutations(path, tmp_path)
    # One run, so that the mutations share the trials of the notebook itself; two where that would take long.
    together = [] if parameters(path) else mutated
    result = investigate([*companions(path), path, *together], jobs=1, out=tmp_path / "runs", solved=True)
    assert_green(run_of(path, result), claims(read(path)))
    if mutated != together:
        result = investigate([*companions(path), *mutated], parameters(path), jobs=1, out=tmp_path / "runs")
    fell = {mutation.stem: fallen(run_of(mutation, result)) for mutation in mutated}
    assert fell == {claim: [claim] for claim in claims(read(path))}


def write_mutations(path: Path, folder: Path) -> list[Path]:
    """Write the notebook with each mutation in turn, into files named after the claims that must fall."""
    notebook, written = read(path), []
    for mutation in mutations(path):
        written.append(folder / f"{mutation.claim}.ipynb")
        nbformat.write(mutation.applied_to(notebook), written[-1])
    return written


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
