"""The results of notebooks under several stacks: which claims differ, and between which versions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

from kit.notebooks.cells import Claim
from kit.notebooks.investigate.results import Investigation, NotebookRun


class Outcome(StrEnum):
    """HELD and FELL are decided. NEVER_REACHED: the notebook stopped before it. NOT_MADE: its cell was left out."""

    HELD = "held"
    FELL = "FELL"
    NEVER_REACHED = "never reached"
    NOT_MADE = "not made"


@dataclass(frozen=True, slots=True)
class Cell:
    """A claim under one stack. `expected` and `observed` are JSON values, None unless it was decided."""

    outcome: Outcome
    expected: Any = None
    observed: Any = None


@dataclass(frozen=True, slots=True)
class Column:
    """One stack, the versions of its packages, and its run. `again` is a second run of the notebooks that differ.

    A stack that could not be installed has no packages, and a run without notebooks that has the reason.
    """

    stack: str
    packages: Mapping[str, str]
    run: Investigation
    again: Investigation | None = None

    @property
    def ran(self) -> bool:
        """Whether any notebook was run."""
        return bool(self.run.notebooks)


@dataclass(frozen=True, slots=True)
class Package:
    """A package that differs between two stacks. A version is None where the package is missing."""

    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.name} {self.after} (new)"
        if self.after is None:
            return f"{self.name} {self.before} (gone)"
        return f"{self.name} {self.before} → {self.after}"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Two stacks that were run and stand beside each other, and the packages that differ between them."""

    before: str
    after: str
    packages: tuple[Package, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A claim of a notebook under each stack that ran. `changes` are the neighbours between which it differs.

    `repeated` is whether second runs came to the same under each stack; None if there was no second run.
    """

    notebook: str
    id: str
    sentence: str
    cells: Mapping[str, Cell]
    changes: tuple[tuple[str, str], ...]
    repeated: bool | None = None


@dataclass(frozen=True, slots=True)
class Matrix:
    """The result of `matrix`.

    `exit_code` is 0 if every claim held under every stack, 1 if one fell, 2 if something could not run and nothing
    fell. `reason` and `remedy` are as in an Investigation. `folder` is None if nothing was run. `stopped` is why the
    run was ended before its end; empty if it was not.
    """

    exit_code: int
    reason: str = ""
    remedy: str = ""
    folder: Path | None = None
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    neighbours: tuple[Neighbours, ...] = field(default=(), repr=False)
    seconds: float = 0.0
    stopped: str = ""

    @property
    def differing(self) -> tuple[Row, ...]:
        """The claims that differ between neighbours."""
        return tuple(row for row in self.rows if row.changes)


def conclude(columns: Sequence[Column], folder: Path, seconds: float) -> Matrix:
    """Compare the runs of several stacks. What fell outweighs what could not run."""
    rows, neighbours = compare(columns)
    stopped = next((column.run.stopped for column in columns if column.run.stopped), "")
    found = Matrix(0, "", "", folder, tuple(columns), rows, neighbours, seconds, stopped)
    worst = [column for exit_code in (1, 2) for column in columns if column.run.exit_code == exit_code]
    if not worst:
        return found
    first = worst[0].run
    more = f" (and {len(worst) - 1} more of the stacks)" if len(worst) > 1 else ""
    return replace(
        found, exit_code=first.exit_code, reason=f"{worst[0].stack}: {first.reason}{more}", remedy=first.remedy
    )


def compare(columns: Sequence[Column]) -> tuple[tuple[Row, ...], tuple[Neighbours, ...]]:
    """Compare each claim between neighbours, and the packages of these. Stacks without any result are left out."""
    ran = [column for column in columns if column.ran]
    first = [{name: _cells(run) for name, run in _by_name(column.run).items()} for column in ran]
    second = [{name: _cells(run) for name, run in _by_name(column.again).items()} for column in ran]
    rows = []
    for (notebook, id), sentence in _claims(ran).items():
        cells = {
            column.stack: found[notebook].get(id, Cell(Outcome.NOT_MADE))
            for column, found in zip(ran, first, strict=True) if notebook in found
        }
        again = [
            _same(cells[column.stack], found[notebook].get(id, Cell(Outcome.NOT_MADE)))
            for column, found in zip(ran, second, strict=True) if notebook in found
        ]
        changes = tuple((a, b) for a, b in pairwise(cells) if not _same(cells[a], cells[b]))
        rows.append(Row(notebook, id, sentence, cells, changes, all(again) if again else None))
    beside = (Neighbours(a.stack, b.stack, differences(a.packages, b.packages)) for a, b in pairwise(ran))
    return tuple(rows), tuple(beside)


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Package, ...]:
    """The packages whose versions differ, by name."""
    names = sorted({*before, *after})
    return tuple(
        Package(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    )


def _claims(columns: Sequence[Column]) -> dict[tuple[str, str], str]:
    """{notebook and id of a claim: its sentence}, in reading order."""
    found: dict[tuple[str, str], str] = {}
    for name in dict.fromkeys(run.name for column in columns for run in column.run.notebooks):
        for column in columns:
            run = _by_name(column.run).get(name)
            for claim in () if run is None else (*run.claims, *run.unreached):
                found.setdefault((name, claim.id), claim.claim)
    return found


def _by_name(investigation: Investigation | None) -> dict[str, NotebookRun]:
    return {} if investigation is None else {run.name: run for run in investigation.notebooks}


def _cells(run: NotebookRun) -> dict[str, Cell]:
    return {claim.id: Cell(Outcome.NEVER_REACHED) for claim in run.unreached} | {
        claim.id: _decided(claim) for claim in run.claims
    }


def _decided(claim: Claim) -> Cell:
    return Cell(Outcome.HELD if claim.held else Outcome.FELL, claim.expected, claim.observed)


def _same(one: Cell, other: Cell) -> bool:
    return one.outcome == other.outcome and one.observed == other.observed
