"""Run notebooks with papermill: parameters checked first, limits enforced, results judged by claims.

`investigate` is the function for other packages. Importing this package loads neither papermill nor Jupyter,
because every papermill process imports it to find the engine.
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

__all__ = [
    "OUTPUT_CELL_BYTES", "OUTPUT_NOTEBOOK_BYTES", "TIMEOUT_CELL_S", "TIMEOUT_NOTEBOOK_S", "check_installed",
    "investigate",
]  # fmt: skip


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
    cwd: Path | None = None,
    log_output: bool = False,
    executor: str | None = None,
    console: Console | None = None,
) -> Investigation:
    """Run notebooks against a pair of servers, print the claims, save the results below `out`, and return them.

    Without `notebooks`, all of `notebooks/` are run. String parameters are converted to the type that the notebook
    declares. `jobs` notebooks run in parallel, one per processor by default, each with a pair of its own unless one is
    up; it is started when the notebook asks for it, and the limits of time count that. `output_cell_bytes` and
    `output_notebook_bytes` limit the outputs of a cell and of a whole notebook. With `stack` None the notebook chooses.
    `environ` is the kernels' environment, this process's by default. `with_pair=False` is for notebooks without a
    database. `solved` inserts the solutions of exercises. With `fresh` a trial is run again even if another notebook of
    this run has its evidence. `cwd` is the kernels' working directory, the notebook's own folder by default. With
    `log_output`, what cells print goes to papermill's logger, too. `executor`, dask://HOST:PORT, names the scheduler
    of a Dask cluster whose workers run the notebooks instead of this machine (docs/at-scale.md).

    Errors of the user or of a notebook are not raised: the result then has exit code 2, a reason and a remedy. Raises
    NotebookError when the required libraries are not installed.
    """
    check_installed()
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
            cwd=cwd,
            log_output=log_output,
            executor=executor,
        ),
        console,
    )


def check_installed() -> None:
    """Raise NotebookError when the libraries that run notebooks are not installed."""
    if find_spec("papermill") is None:
        remedy = 'pip install "fastapi-database-isolation-kit[notebooks]"'
        raise NotebookError("papermill is not installed", remedy=remedy)
