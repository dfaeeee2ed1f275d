"""Which claim falls when a cell is changed: all of a notebook's mutations in one kernel, each from its own cell on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from kit.investigate.kernels import CellStopped, Kernel
from tests.notebooks.sources import Mutation

LIMIT_S = 600.0


async def what_fell(
    notebook: Any, mutations: Sequence[Mutation], folder: Path, environ: Mapping[str, str]
) -> dict[str, str]:
    """What stopped the notebook under each mutation, by the claim that it is meant for.

    Before a cell runs as it stands, each change of it runs, with what follows up to its claim. What that has left in
    the kernel is then made anew: every cell that ran changed, or after a change, is run once more as it stands.
    AssertionError where a cell that is not changed fails.
    """
    kernel = await Kernel.start(nbformat.from_dict(notebook), folder, environ, LIMIT_S)  # it puts what it runs there
    try:
        fell: dict[str, str] = {}
        for index, cell in enumerate(notebook.cells):
            for mutation in mutations:
                at, last = mutation.span(notebook)
                if at == index:
                    changed = nbformat.from_dict(notebook.cells[at : last + 1])
                    mutation.change(changed[0])
                    fell[mutation.claim] = await stopped_by(kernel, changed, at)
            if len(fell) == len(mutations):
                break
            assert not (stopped := await stopped_by(kernel, [cell], index)), stopped
        return fell
    finally:
        await kernel.end()


async def stopped_by(kernel: Kernel, cells: Sequence[Any], first: int) -> str:
    """Run cells up to the one that fails: the claim that fell in it, else its error; empty where none fails."""
    for index, cell in enumerate(cells, first):
        if cell.cell_type == "code" and cell.source.strip():
            try:
                await run_for_certain(kernel, cell, index)
            except CellStopped as stop:
                return stop.reason.partition(":")[0] if stop.name == "ClaimFell" else f"{stop.name}: {stop.reason}"
    return ""


async def run_for_certain(kernel: Kernel, cell: Any, index: int) -> None:
    """Run a cell again until it has run: a kernel in which one has just failed turns away what follows at once."""
    cell.execution_count = None
    while cell.execution_count is None:
        await kernel.run(cell, index, LIMIT_S)
