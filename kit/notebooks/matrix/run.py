"""Run notebooks under one stack after the other, those with claims that differ a second time, and save the results."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kit.errors import EvidenceError, KitError, NotebookError
from kit.notebooks.investigate import parameters
from kit.notebooks.investigate.results import Investigation
from kit.notebooks.investigate.run import (
    Request,
    Stopping,
    check_numbers,
    interruptible,
    investigated,
    learn_secrets,
    with_wanted,
)
from kit.notebooks.investigate.tasks import tasks
from kit.notebooks.matrix import records, shown
from kit.notebooks.matrix.results import Column, Matrix, conclude
from kit.probes.redact import redact
from kit.trials.run_folder import Run, new_run
from kit.trials.stacks import check_name, packages, stack

if TYPE_CHECKING:
    from rich.console import Console

MATRIX = "matrix.json"


def carry_out(request: Request, stacks: Sequence[str], copy: Path | None, console: Console | None = None) -> Matrix:
    """Run the request under each stack, print the result, and return it. `copy` is a file for a copy of the record."""
    from kit.notebooks.investigate.progress import console as standard_output

    console = console or standard_output()
    learn_secrets(request)
    try:
        found = _compared(request, stacks, copy, console)
    except KitError as error:
        found = Matrix(2, redact(with_wanted(error)), redact(error.remedy))
    shown.summary(found, console)
    return found


def _compared(request: Request, stacks: Sequence[str], copy: Path | None, console: Console) -> Matrix:
    began = time.monotonic()
    check_numbers(request)
    _check_stacks(stacks)
    wanted = tasks(request.notebooks, request.parameters, stacks[0], solved=request.solved)
    last = {task.name for task in wanted if task.last}
    with new_run(request.out) as run:
        request = replace(request, out=run.folder, notebooks=tuple(task.path for task in wanted))
        columns = [_installed(name) for name in stacks]
        columns = _each(request, columns, console)
        found = conclude(columns, run.folder, time.monotonic() - began)
        if differing := {row.notebook for row in found.differing} - last:
            columns = _again(request, columns, differing, console)
            found = conclude(columns, run.folder, time.monotonic() - began)
        return _kept(run, found, request, copy)


def _check_stacks(stacks: Sequence[str]) -> None:
    """Raise NotebookError for no stacks and for one that is given twice, StackError for one that does not exist."""
    if not stacks:
        raise NotebookError("No stack is given", remedy="name those to compare (--stacks NAME,NAME)")
    for name in stacks:
        check_name(name)
    twice = next((name for name in stacks if stacks.count(name) > 1), None)
    if twice is not None:
        raise NotebookError(f"The stack {twice} is given twice", remedy="name each stack once")


def _installed(name: str) -> Column:
    """A column whose run is still empty; with the reason if the stack cannot be installed."""
    try:
        return Column(name, packages(stack(name)), Investigation(0))
    except KitError as error:
        return Column(name, {}, Investigation(2, redact(with_wanted(error)), redact(error.remedy)))


def _each(request: Request, columns: Sequence[Column], console: Console) -> list[Column]:
    """Run the request under each stack that could be installed."""
    usable = [column for column in columns if column.run.exit_code == 0]
    for column in usable if request.executor else ():
        shown.heading(column, console)
    runs = _runs(request, {column.stack: column for column in usable}, "", console)
    return [replace(column, run=runs.get(column.stack, column.run)) for column in columns]


def _again(request: Request, columns: Sequence[Column], names: set[str], console: Console) -> list[Column]:
    """Run these notebooks once more under each stack that ran, unless the run was stopped."""
    if any(column.run.stopped for column in columns):
        return list(columns)
    chosen = replace(request, notebooks=tuple(path for path in request.notebooks if path.stem in names))
    console.print("[bold]A second run[/] of the notebooks with claims that differ", soft_wrap=True)
    runs = _runs(chosen, {column.stack: column for column in columns if column.ran}, "-second", console)
    whole = {name: run for name, run in runs.items() if not run.stopped}  # one that was stopped repeats nothing
    return [replace(column, again=whole.get(column.stack)) for column in columns]


def _runs(request: Request, columns: Mapping[str, Column], ending: str, console: Console) -> dict[str, Investigation]:
    """The runs under these stacks: one after the other on this machine, all at once on a cluster."""
    stopping = Stopping()

    def one(name: str) -> Investigation:
        if stopping.why:
            return Investigation(2, f"not run: {stopping.why}", stopped=stopping.why)
        if request.executor is None:
            shown.heading(columns[name], console)
        label = f"{name}/" if request.executor else ""
        return investigated(replace(request, stack=name, name=f"{name}{ending}", label=label), console, stopping)

    with interruptible(stopping):
        if request.executor is None:
            return {name: one(name) for name in columns}
        with ThreadPoolExecutor(max(1, len(columns)), thread_name_prefix="kit-stack") as pool:
            return dict(zip(columns, pool.map(one, columns), strict=True))


def _kept(run: Run, found: Matrix, request: Request, copy: Path | None) -> Matrix:
    """Save the results. On failure, report that in addition to the results."""
    record = redact(records.record(found, parameters.pairs(request.parameters)))
    try:
        run.write(MATRIX, record)
        run.write("junit.xml", redact(records.junit(found)))
        run.write("index.html", redact(records.page(found)))
        if copy is not None:
            Run(copy.resolve().parent).write(copy.name, record)
    except EvidenceError as error:
        return replace(found, exit_code=2, reason=with_wanted(error), remedy=error.remedy)
    return found
