"""Which claim falls under each mutation, and what checks say about wrong answers: one kernel per notebook."""

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
    """{claim: what stopped the notebook under its mutation}, and {wrong answer: the result of its check}.

    Before a cell runs unchanged, each mutation of it runs, with the cells up to its claim. The unchanged cells then run
    again and replace what the mutations left in the kernel. Raises AssertionError when an unchanged cell fails.
    """
    amount = Amount(notebook_at_most=sys.maxsize)  # every mutation and answer repeats the notebook's outputs
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
    """Replace a stub by an answer, run its check, and return the check's result."""
    stub, check = (nbformat.from_dict(cell) for cell in notebook.cells[at : at + 2])
    stub.source = answer
    assert not (stopped := await stopped_by(kernel, [stub, check], at)), stopped
    [said] = checks_of(nbformat.v4.new_notebook(cells=[check]))  # type: ignore[no-untyped-call]
    return said


async def stopped_by(kernel: Kernel, cells: Sequence[Any], first: int) -> str:
    """Run cells up to the one that fails; return the claim that fell or the error, "" if none fails."""
    for index, cell in enumerate(cells, first):
        if cell.cell_type == "code" and cell.source.strip():
            try:
                await run_for_certain(kernel, cell, index)
            except CellStopped as stop:
                return stop.reason.partition(":")[0] if stop.name == "ClaimFell" else f"{stop.name}: {stop.reason}"
    return ""


async def run_for_certain(kernel: Kernel, cell: Any, index: int) -> None:
    """Run a cell until it has run: after a failure a kernel rejects requests that follow immediately."""
    cell.execution_count = None
    while cell.execution_count is None:
        await kernel.run(cell, index, LIMIT_S)
