"""Small notebooks, made by the tests and run in real kernels."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from rich.console import Console

from kit.notebooks.investigate.saved import Outcome

HOLDS = "from kit.notebooks.cells import claim\nclaim('one-is-one', 'One is one.', expected=1, observed=1)"
FALLS = "from kit.notebooks.cells import claim\nclaim('one-is-two', 'One is two.', expected=2, observed=1)"


def cell(source: str, id: str, *tags: str) -> Any:
    """A code cell with an id and tags."""
    return new_code_cell(source, id=id, metadata={"tags": list(tags)} if tags else {})


def text(source: str, id: str, *tags: str) -> Any:
    """A Markdown cell."""
    return new_markdown_cell(source, id=id, metadata={"tags": list(tags)} if tags else {})


def notebook(cells: Iterable[Any], **kit: Any) -> Any:
    """A notebook; `cells` are cells or the source of code cells, `kit` is the kit's metadata."""
    made = [cell(one, f"cell-{n}") if isinstance(one, str) else one for n, one in enumerate(cells, 1)]
    return new_notebook(cells=made, metadata={"kit": kit} if kit else {})


def write(folder: Path, name: str, *cells: Any, **kit: Any) -> Path:
    """A notebook file in `folder`."""
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook(cells, **kit), path)
    return path


@dataclass(frozen=True)
class Executed:
    """A saved notebook, and the error that papermill raised, if any."""

    nb: Any
    error: Exception | None

    @property
    def outcome(self) -> Outcome:
        """The outcome that the notebook records of its own run."""
        return Outcome.of(self.nb)

    @property
    def statuses(self) -> list[str]:
        """papermill's status of each code cell."""
        return [cell.metadata.papermill.status for cell in self.nb.cells if cell.cell_type == "code"]

    @property
    def outputs(self) -> list[Any]:
        """All outputs of all cells."""
        return [output for cell in self.nb.cells for output in cell.get("outputs", [])]


def execute(folder: Path, *cells: Any, **options: Any) -> Executed:
    """Run a notebook with papermill and the kit's engine, as the command line does, and read the saved notebook."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    path, saved = write(folder, "sample", *cells), folder / "executed.ipynb"
    parameters = options.pop("parameters", None)
    error: Exception | None = None
    try:
        papermill.execute_notebook(
            str(path), str(saved), parameters, engine_name="kit", kernel_name="python3", language="python",
            progress_bar=False, folder=folder, **options,
        )
    except PapermillExecutionError as raised:
        error = raised
    return Executed(nbformat.read(saved, as_version=4), error)


def quiet() -> Console:
    """A console that keeps its output."""
    return Console(file=StringIO(), width=200, highlight=False)


def said(console: Console) -> str:
    """The output of such a console."""
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def living(pids: Iterable[int]) -> list[int]:
    """The processes that are still running."""
    import psutil

    found = []
    for pid in pids:
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            found.append(pid)
    return found


def environ(**more: str) -> dict[str, str]:
    """This process's environment, and more."""
    return {**os.environ, **more}
