"""What `kit matrix` prints: a line for each stack, the claims that differ, and the packages behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.notebooks.cells import words
from kit.notebooks.investigate.progress import one_line, print_result
from kit.notebooks.investigate.results import Investigation
from kit.notebooks.matrix.results import Cell, Column, Matrix, Neighbours, Outcome, Row

if TYPE_CHECKING:
    from rich.console import Console

COLORS = {Outcome.HELD: "green", Outcome.FELL: "red", Outcome.NEVER_REACHED: "red", Outcome.NOT_MADE: "yellow"}


def heading(column: Column, console: Console) -> None:
    """Print the stack that is run next."""
    versions = ", ".join(f"{name} {column.packages[name]}" for name in _NAMED if name in column.packages)
    console.print(f"[bold]Stack {column.stack}[/]: {versions}", soft_wrap=True)


_NAMED = ("python", "fastapi", "sqlalchemy", "httpx", "pytest", "pytest-asyncio")


def summary(matrix: Matrix, console: Console) -> None:
    """Print the stacks, the claims that differ between them, and in the last lines the result and the report's path."""
    if matrix.columns:
        _stacks(matrix, console)
        _claims(matrix, console)
    whole = Investigation(matrix.exit_code, matrix.reason, matrix.remedy, matrix.folder, seconds=matrix.seconds)
    print_result(whole, f"All claims held under {_count(matrix)}", console)


def agreement(matrix: Matrix) -> str:
    """A sentence on how many claims differ, and between how many stacks."""
    if sum(column.ran for column in matrix.columns) < 2:
        return "Fewer than two stacks were run, so nothing is compared."
    if not matrix.differing:
        return f"All {len(matrix.rows)} claims agree, verdict and observation, under {_count(matrix)}."
    differ = len(matrix.differing)
    return f"{differ} of {len(matrix.rows)} claims {'differs' if differ == 1 else 'differ'} under {_count(matrix)}."


def changed(row: Row) -> str:
    """A sentence on where a claim changes, and whether second runs came to the same."""
    where = " and ".join(f"between {before} and {after}" for before, after in row.changes)
    if Outcome.NEVER_REACHED in {row.cells[stack].outcome for change in row.changes for stack in change}:
        where += ", as the notebook stopped before it"
    if row.repeated is None:
        return f"changes {where}; no second run"
    if row.repeated:
        return f"changes {where}, in both of two runs"
    return f"changes {where}, but also between two runs of one stack, so it is not put down to versions"


def changes(matrix: Matrix) -> list[tuple[str, list[str], str]]:
    """The claims that differ, those of a notebook with the same sentence together: notebook, ids, sentence."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in matrix.differing:
        found.setdefault((row.notebook, changed(row)), []).append(row.id)
    return [(notebook, ids, sentence) for (notebook, sentence), ids in found.items()]


def packages(one: Neighbours) -> str:
    """A sentence on the packages that differ between two stacks."""
    if not one.packages:
        return f"Between {one.before} and {one.after} no package differs."
    count = len(one.packages)
    which = "this package" if count == 1 else f"these {count} packages"
    return f"Between {one.before} and {one.after} the change lies in {which}: {', '.join(map(str, one.packages))}."


def behind(matrix: Matrix) -> list[Neighbours]:
    """The neighbours between which a claim changes that is not known to differ without a change of versions."""
    named = {change for row in matrix.differing if row.repeated is not False for change in row.changes}
    return [one for one in matrix.neighbours if (one.before, one.after) in named]


def _count(matrix: Matrix) -> str:
    ran = sum(column.ran for column in matrix.columns)
    return "1 stack" if ran == 1 else f"{ran} stacks"


def _stacks(matrix: Matrix, console: Console) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("stack", "outcome", "held", "s", "reason"):
        table.add_column(name, justify="right" if name == "s" else "left", overflow="fold")
    for column in matrix.columns:
        run = column.run
        if not column.ran:
            table.add_row(column.stack, "[red]COULD NOT RUN[/]", "", "", one_line(run.reason))
            continue
        outcome = ("[green]held[/]", "[red]FELL[/]", "[red]COULD NOT RUN[/]")[run.exit_code]
        held = f"{run.held} of {len(run.claims)}"
        table.add_row(column.stack, outcome, held, f"{run.seconds:.1f}", one_line(run.reason))
    console.print(table)


def _claims(matrix: Matrix, console: Console) -> None:
    from rich import box
    from rich.table import Table

    if matrix.differing:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in ("notebook", "claim", *(column.stack for column in matrix.columns if column.ran)):
            table.add_column(name, overflow="fold")
        for row in matrix.differing:
            table.add_row(one_line(row.notebook), one_line(row.id), *map(_cell, row.cells.values()))
        console.print(table)
    console.print(agreement(matrix))
    for notebook, ids, sentence in changes(matrix):
        console.print(f"{one_line(notebook)}, {one_line(', '.join(ids))}: {sentence}.", soft_wrap=True)
    for one in behind(matrix):
        console.print(one_line(packages(one)), soft_wrap=True)


def _cell(cell: Cell) -> str:
    outcome = f"[{COLORS[cell.outcome]}]{cell.outcome}[/]"
    decided = cell.outcome in (Outcome.HELD, Outcome.FELL)
    return f"{outcome} · {one_line(words(cell.observed))}" if decided else outcome
