"""Which claim falls when a cell is changed, and what checks say of wrong answers: all of a notebook's in one kernel."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from kit.notebooks.checks import State
from kit.notebooks.investigate.claims import Exercise
from kit.notebooks.investigate.claims import exercises as checks_of
from kit.notebooks.investigate.kernels import CellStopped, Kernel
from kit.notebooks.investigate.outputs import Amount
from tests.notebooks.sources import Mutation, WrongAnswer, exercises

LIMIT_S = 600.0


async def what_fell(
    notebook: Any, mutations: Sequence[Mutation], folder: Path, environ: Mapping[str, str],
    answers: Sequence[WrongAnswer] = (),
) -> tuple[dict[str, str], dict[str, Exercise]]:
    """What stopped the notebook under each mutation, by the claim that it is meant for; what was said of each answer.

    Before a cell runs as it stands, each change of it runs, with what follows up to its claim. What that has left in
    the kernel is then made anew: every cell that ran changed, or after a change, is run once more as it stands.
    AssertionError where a cell that is not changed fails.
    """
    amount = Amount(notebook_at_most=sys.maxsize)  # every change and answer writes as much as the notebook once more
    kernel = await Kernel.start(
        nbformat.from_dict(notebook), folder, environ, LIMIT_S, amount, lambda message, cell: None
    )
    try:
        fell: dict[str, str] = {}
        said: dict[str, Exercise] = {}
        stubs = {index: id for id, index in exercises(notebook).items()}
        for index, cell in enumerate(notebook.cells):
            for mutation in mutations:
                at, last = mutation.span(notebook)
                if at == index:
                    changed = nbformat.from_dict(notebook.cells[at : last + 1])
                    mutation.change(changed[0])
                    fell[mutation.claim] = await stopped_by(kernel, changed, at)
            if len(fell) == len(mutations) and not answers:
                break
            for answer in answers:
                if answer.exercise == stubs.get(index):
                    said[answer.why] = await said_of(kernel, notebook, index, answer.answer)
            if index in stubs:
                untouched = await said_of(kernel, notebook, index, cell.source)
                assert untouched.state == State.NOT_STARTED, untouched
            assert not (stopped := await stopped_by(kernel, [cell], index)), stopped
        return fell, said
    finally:
        await kernel.end()


async def said_of(kernel: Kernel, notebook: Any, at: int, answer: str) -> Exercise:
    """Put an answer into the place of a stub, run its check, and return what that says."""
    stub, check = (nbformat.from_dict(cell) for cell in notebook.cells[at : at + 2])
    stub.source = answer
    assert not (stopped := await stopped_by(kernel, [stub, check], at)), stopped
    [said] = checks_of(nbformat.v4.new_notebook(cells=[check]))  # type: ignore[no-untyped-call]
    return said


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
