"""The lines of a timeline from engines to the steps that used them: which track and which part in each row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

TRACKS_AT_MOST = 6
"""Engines that have a line at the same time; the others are named in the text only."""


class Linked(Protocol):
    """A row: the engine made in it ("" for none), and the engines from which an arrow leads to it."""

    @property
    def engine(self) -> str: ...
    @property
    def uses(self) -> tuple[str, ...]: ...
    @property
    def makes(self) -> bool: ...


Part = Literal["made", "alone", "passes", "used", "used last"]
"""A line begins; an engine that nothing uses; a line that goes on; an arrow, with or without more below."""


@dataclass(frozen=True, slots=True)
class Line:
    """A part of the line of an engine in one row; `track` counts from the left, beginning with 0."""

    engine: str
    track: int
    part: Part

    @property
    def above(self) -> bool:
        """Whether the line comes from the row above."""
        return self.part in ("passes", "used", "used last")

    @property
    def below(self) -> bool:
        """Whether the line goes on to the row below."""
        return self.part in ("made", "passes", "used")


def gutter(rows: Sequence[Linked]) -> tuple[tuple[Line, ...], ...]:
    """The lines in each row. An engine has the first track that is free from its row to the last one that used it."""
    last = {engine: number for number, row in enumerate(rows) for engine in row.uses}
    tracks: dict[str, int] = {}
    free_from = [0] * TRACKS_AT_MOST
    lines: list[list[Line]] = [[] for _ in rows]
    for number, row in enumerate(rows):
        track = next((track for track, free in enumerate(free_from) if free <= number), None)
        if not row.makes or row.engine in tracks or track is None:
            continue
        tracks[row.engine] = track
        end = max(last.get(row.engine, number), number)
        free_from[track] = end + 1
        for at in range(number, end + 1):
            lines[at].append(Line(row.engine, track, _part(rows, row.engine, number, at, end)))
    return tuple(map(tuple, lines))


def _part(rows: Sequence[Linked], engine: str, made: int, at: int, end: int) -> Part:
    if at == made:
        return "alone" if made == end else "made"
    if engine not in rows[at].uses:
        return "passes"
    return "used last" if at == end else "used"
