"""Notebooks through papermill: checked before they start, ended at their limits, judged by their claims.

`investigate` is all that others call. Importing this package loads neither papermill nor Jupyter, because every
papermill process looks at it for the engine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.errors import NotebookError

if TYPE_CHECKING:
    from rich.console import Console

    from kit.notebooks.investigate.results import Investigation

TIMEOUT_CELL_S = 600.0
TIMEOUT_NOTEBOOK_S = 1200.0
OUTPUT_CELL_BYTES = 10_000_000
"""How much output a cell may write. A loop that prints without end would else fill the memory before its time
limit was reached."""
OUTPUT_NOTEBOOK_BYTES = 50_000_000

__all__ = ["OUTPUT_CELL_BYTES", "OUTPUT_NOTEBOOK_BYTES", "TIMEOUT_CELL_S", "TIMEOUT_NOTEBOOK_S", "investigate"]


def investigate(
    notebooks: Iterable[str | Path] = (),
    parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
    *,
    jobs: int | None = None,
    timeout_cell_s: float = TIMEOUT_CELL_S,
    timeout_notebook_s: float = TIMEOUT_NOTEBOOK_S,
    output_cell_bytes: int = OUTPUT_CELL_BYTES,
    output_notebook_bytes: int = OUTPUT_NOTEBOOK_BYTES,
    out: Path = Path("runs"),
    stack: str | None = None,
    environ: Mapping[str, str] | None = None,
    with_pair: bool = True,
    solved: bool = False,
    fresh: bool = False,
    console: Console | None = None,
) -> Investigation:
    """Run notebooks against a pair of servers, print what held, keep it in a folder of `out`, and return it.

    No notebook means all of `notebooks/`. Parameters that are texts are read as the type that the notebook declares.
    `jobs` notebooks run at a time, one per processor by default, each with a pair of its own unless one is up.
    Outputs of a cell, and of a whole notebook, may have `output_cell_bytes` and `output_notebook_bytes`.
    `stack` None leaves the choice to the notebook. `environ` is what kernels inherit, this process's by default.
    `with_pair=False` is for notebooks that use no database. `solved` puts the solutions of exercises into their
    places. With `fresh` a trial is run again though another notebook of this run has its evidence.

    Raises nothing for what a user or a notebook does wrong: the result's exit code is then 2, with reason and remedy.
    NotebookError where the libraries for it are not installed.
    """
    if find_spec("papermill") is None:
        remedy = 'pip install "fastapi-database-isolation-kit[notebooks]"'
        raise NotebookError("papermill is not installed", remedy=remedy)
    from kit.notebooks.investigate.run import Request, carry_out

    return carry_out(
        Request(
            tuple(Path(notebook) for notebook in notebooks),
            parameters if isinstance(parameters, Mapping) else tuple(parameters),
            jobs=jobs,
            timeout_cell_s=timeout_cell_s,
            timeout_notebook_s=timeout_notebook_s,
            output_cell_bytes=output_cell_bytes,
            output_notebook_bytes=output_notebook_bytes,
            out=out,
            stack=stack,
            environ=dict(os.environ if environ is None else environ),
            with_pair=with_pair,
            solved=solved,
            fresh=fresh,
        ),
        console,
    )
