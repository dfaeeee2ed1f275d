"""The engine by its name, as papermill's own command finds it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat

from kit.notebooks.investigate.saved import Outcome
from tests.kit_notebooks.investigate.samples import HOLDS, cell, write


def papermill(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run papermill's command line on the sample in `folder`."""
    command = [sys.executable, "-m", "papermill", "sample.ipynb", "out.ipynb", "-k", "python3", "--no-progress-bar"]
    return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_papermill_finds_the_engine_by_name(tmp_path: Path) -> None:
    """`papermill --engine kit` runs a notebook with the kit's engine, and its exit code is red where the kit's is."""
    write(tmp_path, "sample", "import sys\nsys.exit(0)", "1")
    done = papermill(tmp_path, "--engine", "kit", "-l", "python")
    assert done.returncode == 1, done.stderr
    assert Outcome.of(nbformat.read(tmp_path / "out.ipynb", as_version=4)).error == "NotebookLeft"


def test_plain_papermill_runs_the_same_notebook(tmp_path: Path) -> None:
    """A notebook with claims runs in plain papermill as well; a claim that falls is red there."""
    parameters = cell("n = 1", "parameters", "parameters")
    claims = "from kit.notebooks.cells import claim\nclaim('n', 'It is one.', expected=1, observed=n)"
    write(tmp_path, "sample", parameters, HOLDS, claims)
    assert papermill(tmp_path, "-l", "python").returncode == 0
    fell = papermill(tmp_path, "-l", "python", "-p", "n", "2")
    assert fell.returncode == 1
    assert "n: It is one. Expected 1, observed 2" in fell.stderr
