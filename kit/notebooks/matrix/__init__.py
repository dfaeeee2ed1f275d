"""Run notebooks under several stacks, and compare what their claims came to.

`matrix` is the only function for other packages.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.notebooks.investigate import (
    OUTPUT_CELL_BYTES,
    OUTPUT_NOTEBOOK_BYTES,
    TIMEOUT_CELL_S,
    TIMEOUT_NOTEBOOK_S,
    check_installed,
)
from kit.trials.stacks import LOCKED

if TYPE_CHECKING:
    from rich.console import Console

    from kit.notebooks.matrix.results import Matrix

__all__ = ["DEFAULT_STACKS", "matrix"]

DEFAULT_STACKS = (*LOCKED, "current")
"""All stacks, the oldest first, so that neighbours are close to each other."""


def matrix(
    notebooks: Iterable[str | Path] = (),
    parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
    *,
    stacks: Iterable[str] = DEFAULT_STACKS,
    jobs: int | None = None,
    timeout_cell_s: float = TIMEOUT_CELL_S,
    timeout_notebook_s: float = TIMEOUT_NOTEBOOK_S,
    out: Path = Path("runs"),
    json: Path | None = None,
    environ: Mapping[str, str] | None = None,
    with_pair: bool = True,
    solved: bool = False,
    executor: str | None = None,
    console: Console | None = None,
) -> Matrix:
    """Run notebooks under each of the stacks, print and return which claims differ and between which versions.

    Neighbours in `stacks` are compared, so give them in the order of their age. A notebook with a claim that differs is
    run once more under each stack: a claim that differs between two runs of the same stack is not put down to versions.
    A stack that cannot be installed is left out, with its reason. The results are saved in a folder below `out`;
    `json` names a file for a copy of `matrix.json`. The other arguments are those of `investigate`.

    Errors of the user or of a notebook are not raised: the result then has exit code 2, a reason and a remedy. Raises
    NotebookError when the required libraries are not installed.
    """
    check_installed()
    from kit.notebooks.investigate.run import Request
    from kit.notebooks.matrix.run import carry_out

    request = Request(
        tuple(Path(notebook) for notebook in notebooks),
        parameters if isinstance(parameters, Mapping) else tuple(parameters),
        jobs=jobs,
        timeout_cell_s=timeout_cell_s,
        timeout_notebook_s=timeout_notebook_s,
        output_cell_bytes=OUTPUT_CELL_BYTES,
        output_notebook_bytes=OUTPUT_NOTEBOOK_BYTES,
        out=out,
        stack=None,
        environ=dict(os.environ if environ is None else environ),
        with_pair=with_pair,
        solved=solved,
        fresh=False,
        cwd=None,
        log_output=False,
        executor=executor,
    )
    return carry_out(request, tuple(stacks), json, console)
