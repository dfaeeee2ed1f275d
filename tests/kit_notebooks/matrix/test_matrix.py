"""Notebooks under several stacks, in real kernels and with the packages of each stack."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any

import pytest

import kit
from kit.notebooks.matrix.results import Matrix, Outcome
from kit.trials.stacks import stack
from tests.kit_notebooks.investigate.clusters import Cluster
from tests.kit_notebooks.investigate.samples import HOLDS, cell, quiet, said, write

STACKS = ("2023-11", "2025-06", "current")
INSTALLED = """
from kit.notebooks.cells import claim, start
session = start(pair=False)
def installed():
    import sqlalchemy
    return sqlalchemy.__version__
claim('same-as-first', 'SQLAlchemy is what it was.', expected=first, observed=session.call(installed))
"""
COUNTED = """
from kit.notebooks.cells import claim
from pathlib import Path
runs = Path('runs-so-far')
runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')
claim('counted', 'It is counted.', expected=True, observed=len(runs.read_text()))
"""


def run(folder: Path, *notebooks: Path, stacks: tuple[str, ...] = STACKS, **options: Any) -> Matrix:
    """These notebooks under stacks, without a pair."""
    given = {"console": quiet(), **options}
    return kit.matrix(notebooks, stacks=stacks, out=folder / "runs", with_pair=False, **given)


def test_a_claim_that_changes_with_versions(tmp_path: Path) -> None:
    """What depends on a package's version falls where that is another one; the neighbours and the package are named."""
    console, first = quiet(), stack("2023-11").versions["sqlalchemy"]
    versions = write(tmp_path, "01_versions", cell("first = ''", "parameters", "parameters"), INSTALLED)
    steady = write(tmp_path, "02_steady", HOLDS)
    copy = tmp_path / "copy.json"
    found = run(tmp_path, versions, steady, parameters={"first": first}, json=copy, console=console)
    assert [(row.notebook, row.id) for row in found.differing] == [("01_versions", "same-as-first")]
    (row,) = found.differing
    assert [one.outcome for one in row.cells.values()] == [Outcome.HELD, Outcome.FELL, Outcome.FELL]
    assert [one.observed for one in row.cells.values()] == [stack(name).versions["sqlalchemy"] for name in STACKS]
    assert (row.changes, row.repeated) == ((("2023-11", "2025-06"), ("2025-06", "current")), True)
    assert found.exit_code == 1
    assert f"sqlalchemy {first} → {stack('2025-06').versions['sqlalchemy']}" in said(console)
    assert found.folder is not None
    assert copy.read_text() == (found.folder / "matrix.json").read_text()
    assert [one["stack"] for one in json.loads(copy.read_text())["stacks"]] == list(STACKS)
    assert {path.name for path in found.folder.iterdir()} == {
        "matrix.json", "junit.xml", "index.html", *STACKS, *(f"{name}-second" for name in STACKS),
    }  # fmt: skip
    assert not (found.folder / "current-second" / "02_steady.ipynb").exists()  # nothing differs in it
    names = [suite.get("name") for suite in xml.fromstring((found.folder / "junit.xml").read_text())]
    assert names == [f"{name}: {notebook}" for name in STACKS for notebook in ("01_versions", "02_steady")]
    for link in ("2023-11/index.html", "current-second/index.html"):
        assert f'href="{link}"' in (found.folder / "index.html").read_text()
        assert (found.folder / link).is_file()


def test_what_changes_without_versions_is_not_put_down_to_them(tmp_path: Path) -> None:
    """A claim whose observation is another in each run differs between two runs of one stack, too, which is said."""
    console = quiet()
    counted = write(tmp_path, "01_counted", COUNTED.replace("expected=True", "expected=len(runs.read_text())"))
    found = run(tmp_path, counted, stacks=("2023-11", "current"), console=console)
    assert found.exit_code == 0
    assert [(row.id, row.repeated) for row in found.differing] == [("counted", False)]
    assert "not put down to versions" in said(console)
    assert "the change lies in" not in said(console)


def test_a_stack_that_cannot_be_installed_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row has the reason, the others are run, and the exit code is 2 because something could not run."""
    console = quiet()
    (tmp_path / "no-folder").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-folder"))
    found = run(tmp_path, write(tmp_path, "01_a", HOLDS), stacks=("2023-11", "current"), console=console)
    assert [(column.stack, column.ran, column.run.held) for column in found.columns] == [
        ("2023-11", False, 0), ("current", True, 1),
    ]  # fmt: skip
    assert found.exit_code == 2
    assert found.reason.startswith("2023-11: The stack 2023-11 cannot be kept in")
    assert "XDG_CACHE_HOME" in found.remedy
    assert "COULD NOT RUN" in said(console)


def test_stacks_run_at_the_same_time_on_a_cluster(tmp_path: Path) -> None:
    """On a cluster the stacks come to what they come to here, and each line of progress names its stack."""
    first, console = stack("2023-11").versions["sqlalchemy"], quiet()
    versions = write(tmp_path, "01_versions", cell("first = ''", "parameters", "parameters"), INSTALLED)
    with Cluster(tmp_path / "cluster") as cluster:
        cluster.join()
        cluster.join()
        given = {"stacks": ("2023-11", "current"), "parameters": {"first": first}}
        there = run(tmp_path, versions, executor=cluster.executor, console=console, **given)
    here = run(tmp_path, versions, **given)
    assert (there.exit_code, there.reason, there.rows, there.neighbours) == (
        here.exit_code, here.reason, here.rows, here.neighbours,
    )  # fmt: skip
    assert [row.repeated for row in there.differing] == [True]
    for name in ("2023-11", "current"):
        assert f"{name}/01_versions: begins on tcp://" in said(console)


@pytest.mark.parametrize(
    ("stacks", "parameters", "reason"),
    [
        (("current", "2019-01"), {}, "There is no stack '2019-01'"),
        (("current", "current"), {}, "The stack current is given twice"),
        ((), {}, "No stack is given"),
        (("current",), {"m": 1}, "no parameter 'm'"),
    ],
)
def test_a_mistake_is_said_once_before_anything_runs(
    tmp_path: Path, stacks: tuple[str, ...], parameters: dict[str, int], reason: str
) -> None:
    """A wrong stack or parameter is exit code 2 in one line, and nothing is started or kept."""
    console = quiet()
    notebook = write(tmp_path, "01_a", cell("n = 1", "parameters", "parameters"), HOLDS)
    found = run(tmp_path, notebook, stacks=stacks, parameters=parameters, console=console)
    assert (found.exit_code, found.columns) == (2, ())
    assert reason in found.reason
    assert said(console).count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_an_interrupted_matrix_keeps_what_there_is(tmp_path: Path) -> None:
    """Ctrl-C ends the present stack, runs no other, and the record says so of each."""
    write(tmp_path, "01_a", HOLDS, "import time\ntime.sleep(600)")
    command = [sys.executable, "-m", "kit", "matrix", "01_a.ipynb", "--stacks", "current,2023-11", "--no-servers"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen = next(line for line in process.stdout if "held" in line)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert "one-is-one" in seen
    assert process.returncode == 2
    assert "second run" not in rest
    (record,) = (tmp_path / "runs").glob("*/matrix.json")
    first, second = json.loads(record.read_text())["stacks"]
    assert "SIGINT" in first["reason"]
    assert (second["ran"], "not run: the run was ended by SIGINT" in second["reason"]) == (False, True)
