"""Run notebooks under one stack after the other, those with claims that differ a second time, and save the results."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kit.errors import EvidenceError, KitError, NotebookError
from kit.notebooks.investigate import parameters
from kit.notebooks.investigate.results import Investigation
from kit.notebooks.investigate.run import Request, check_numbers, investigated, learn_secrets, with_wanted
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
    done: list[Column] = []
    for column in columns:
        if column.run.exit_code == 0:
            stopped = next((one.run.stopped for one in done if one.run.stopped), "")
            if not stopped:
                shown.heading(column, console)
            run = _run(request, column.stack, column.stack, console, stopped)
            column = replace(column, run=run)
        done.append(column)
    return done


def _again(request: Request, columns: Sequence[Column], names: set[str], console: Console) -> list[Column]:
    """Run these notebooks once more under each stack that ran."""
    chosen = replace(request, notebooks=tuple(path for path in request.notebooks if path.stem in names))
    if any(column.run.stopped for column in columns):
        return list(columns)
    done: list[Column] = []
    for column in columns:
        if column.ran and not any(one.again and one.again.stopped for one in done):
            console.print(f"[bold]Stack {column.stack}[/], a second run of what differs", soft_wrap=True)
            column = replace(column, again=_run(chosen, column.stack, f"{column.stack}-second", console))
        done.append(column)
    return done


def _run(request: Request, name: str, folder: str, console: Console, stopped: str = "") -> Investigation:
    if stopped:
        return Investigation(2, f"not run: {stopped}", stopped=stopped)
    return investigated(replace(request, stack=name, name=folder), console)


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
