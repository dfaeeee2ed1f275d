"""A panel of a timeline: the rows of one run, with the lines that lead from engines to their uses. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from kit.evidence.model import Frame
from kit.probes.redact import redact
from kit.report.gutter import Line, gutter
from kit.report.printable import shortened
from kit.report.steps import Step, described

ROWS_AT_MOST = 60
LETTERS_AT_MOST = 400
LETTERS_SAID = 90
"""Letters of a text whose whole sentence is shown, too, to those who ask for it."""
Sides = tuple[str, str]
"""The words of a legend for where tests may go, and where not."""
SERVERS_SHOWN: Sides = ("test server", "production")
JUDGED_SHOWN: Sides = ("allowed", "not allowed")
_TRACK_PX, _ARROW_PX = 12, 26
_ANSWERS = ("test", "production", "unknown", "database")


@dataclass(frozen=True, slots=True)
class Row:
    """One step as it is shown. `ms` and `lane` are words, `place` is file:line, `code` the source code there ("").

    `side` is the database that answered: test, production, allowed or not allowed; None for none of these. `engine` is
    the engine that the row is about, `makes` whether it was made here; `uses` are the engines from which an arrow leads
    here. `more` is shown after the text. `names` is the short name of the database that the row names, and `whole` the
    whole sentence, for those who point at the text; both "" for none.
    """

    ms: str
    lane: str
    text: str
    side: str | None = None
    place: str = ""
    code: str = ""
    engine: str = ""
    makes: bool = False
    uses: tuple[str, ...] = ()
    more: str = ""
    names: str = ""
    whole: str = ""

    @property
    def said(self) -> str:
        """The text, and the database that it names."""
        return f"{self.text}: {self.names}" if self.names else self.text


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a legend: the short name of a database, which `side` it is, and what it stands for."""

    name: str
    side: str | None
    described: str


@dataclass(frozen=True, slots=True)
class Panel:
    """The rows of one run, under its name. `width` is that of the lines in pixels.

    `sides` is the server that answered all queries of an engine; an engine with two, or an unknown one, is not in it.
    `databases` is the legend of the short names, `heading` a sentence that says what the rows show; "" for none.
    """

    name: str
    rows: tuple[Row, ...]
    lines: tuple[tuple[Line, ...], ...]
    width: int
    sides: Mapping[str, str] = field(default_factory=dict)
    databases: tuple[Entry, ...] = ()
    heading: str = ""

    @property
    def drawn(self) -> tuple[tuple[Row, tuple[Line, ...]], ...]:
        """Each row with its lines."""
        return tuple(zip(self.rows, self.lines, strict=True))


def panel(name: str, rows: Sequence[Row], at_most: int = ROWS_AT_MOST) -> Panel:
    """A panel of these rows. Of more than `at_most` those in the middle are left out, and counted in a row."""
    kept = _fewer(_led_to(rows), at_most)
    lines = gutter(kept)
    tracks = max((line.track + 1 for row in lines for line in row), default=0)
    return Panel(name, kept, lines, tracks * _TRACK_PX + _ARROW_PX if tracks else 0, _sides(kept))


def _led_to(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows, with an arrow to each answer on an engine that was made only after the request that used it."""
    made = {row.engine: number for number, row in enumerate(rows) if row.makes}
    used = {engine for number, row in enumerate(rows) for engine in row.uses if number > made.get(engine, number)}
    late = made.keys() - used
    return tuple(
        replace(row, uses=(row.engine,))
        if row.lane == "answer" and not row.uses and row.engine in late and number > made[row.engine] else row
        for number, row in enumerate(rows)
    )


def _sides(rows: Sequence[Row]) -> dict[str, str]:
    found: dict[str, set[str | None]] = {}
    for row in rows:
        if row.engine and not row.makes:
            found.setdefault(row.engine, set()).add(row.side)
    return {engine: side for engine, (side, *more) in found.items() if side and not more}


def row_of(step: Step, code: str = "") -> Row:
    """A step of a test as a row; `code` is the source code of its line."""
    return Row(
        milliseconds(step.at_s), "answer" if step.lane in _ANSWERS else step.lane,
        shortened(described(step), LETTERS_AT_MOST), step.side, place_of(step.where), code_line(code), step.engine,
        step.lane == "engine", step.uses,
    )


def milliseconds(at_s: float) -> str:
    """A time since the start, in words."""
    return f"{1000 * at_s:,.0f} ms"


def place_of(where: Frame | None) -> str:
    """A location as file:line; "" for none."""
    return f"{where.file}:{where.line}" if where else ""


def code_line(code: str) -> str:
    """A line of source code as it may be shown: without indentation and without secrets."""
    return shortened(redact(code.strip()), LETTERS_AT_MOST)


def in_words(row: Row) -> str:
    """A row as one line of text, with the engines it uses and its place, and then the whole sentence."""
    uses = f", uses {', '.join(row.uses)}" if row.uses and row.lane != "answer" else ""
    whole = f" [{row.whole}]" if row.whole else ""
    return f"{row.lane}: {row.said}{uses}" + (f" at {row.place}" if row.place else "") + whole


def in_a_legend(one: Entry) -> str:
    """A line of the legend as text."""
    return f"{one.name} is {one.described}"


def _fewer(rows: Sequence[Row], at_most: int) -> tuple[Row, ...]:
    if len(rows) <= at_most:
        return tuple(rows)
    half = at_most // 2
    return (*rows[:half], Row("", "", f"… {len(rows) - 2 * half:,} more steps …"), *rows[-half:])
