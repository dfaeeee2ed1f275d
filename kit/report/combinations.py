"""A drawing of every combination of suspects: which of them fail, with each attempt, in each run. Pure.

A run fails by a way past the override and a road to production. Rows are the ways that are on, columns the roads, so
that a failure that needs both leaves the first row and the first column empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kit.evidence.causes import TruthTable, condition
from kit.report.drawing import Drawing, macro
from kit.specimens.trial import subsets

WAY, ROAD = "a way past the override", "a road to production"
_LABEL_PX, _CELL_PX, _ROW_PX, _NAME_PX, _GAP_PX = 104, 17, 14, 17, 5
_Set = frozenset[str]


@dataclass(frozen=True, slots=True)
class Label:
    """A text at the left of a panel; a `name` stands above the rows of an attempt."""

    y: int
    text: str
    name: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A cell, or a dot above the cells, by its upper left corner: whether the run fails, or the road is on."""

    x: int
    y: int
    on: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """The combinations of one run: `dots` say above each column which roads are on, `cells` which combinations fail."""

    name: str
    width: int
    height: int
    labels: tuple[Label, ...]
    dots: tuple[Mark, ...]
    cells: tuple[Mark, ...]

    @property
    def failed(self) -> int:
        """How many combinations fail."""
        return sum(cell.on for cell in self.cells)


def combinations_drawing(
    runs: Mapping[str, Mapping[str, TruthTable]], ways: Sequence[str], roads: Sequence[str]
) -> Drawing:
    """Draw the truth tables of each run, by attempt; their suspects are the `ways` and the `roads`."""
    title = _finding(runs, frozenset(ways), frozenset(roads))
    words = "\n".join(_words(name, by_attempt, ways, roads) for name, by_attempt in runs.items())
    panels = [_panel(name, by_attempt, ways, roads) for name, by_attempt in runs.items()]
    return Drawing(title, words, str(macro("combinations.html", "figure")(title, words, panels)).strip())


def _finding(runs: Mapping[str, Mapping[str, TruthTable]], ways: _Set, roads: _Set) -> str:
    """What the drawing shows: the attempts that always hold, and those that fail only where a way and a road are on."""
    failing: dict[str, list[_Set]] = {}
    for by_attempt in runs.values():
        for attempt, table in by_attempt.items():
            failing.setdefault(attempt, []).extend(on for on, failed in table.items() if failed)
    never = [name for name, sets in failing.items() if not sets]
    both = [name for name, sets in failing.items() if sets and all(on & ways and on & roads for on in sets)]
    other = [name for name in failing if name not in never and name not in both]
    said = [
        *([f"With {_listed(both)} a run fails only where {WAY} meets {ROAD}."] if both else []),
        *([f"With {_listed(other)} {_enough(failing, other, ways, roads)}."] if other else []),
        *([f"With {_listed(never)} no combination fails."] if never else []),
    ]
    return " ".join(said) or "No combination was run."


def _enough(failing: Mapping[str, Sequence[_Set]], attempts: Sequence[str], ways: _Set, roads: _Set) -> str:
    """What is enough for each of these attempts to fail somewhere."""
    sets = [failing[attempt] for attempt in attempts]
    if all(any(not on & (ways | roads) for on in of_one) for of_one in sets):
        return "a run fails with neither"
    by_road = all(any(not on & ways for on in of_one) for of_one in sets)
    return f"{f'{ROAD} alone' if by_road else 'one of the two'} is enough"


def _listed(names: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _words(name: str, by_attempt: Mapping[str, TruthTable], ways: Sequence[str], roads: Sequence[str]) -> str:
    lines = [f"{name}."]
    for attempt, table in by_attempt.items():
        said = [f"{_row_name(way)}: {_fails_with(table, way, roads)}" for way in subsets(ways)]
        lines.append(f"  {attempt} fails. {'; '.join(said)}")
    return "\n".join(lines)


def _fails_with(table: TruthTable, way: Sequence[str], roads: Sequence[str]) -> str:
    """The shortest condition on the roads with which a run fails, with exactly these ways on."""
    row = {frozenset(on): table[frozenset((*way, *on))] for on in subsets(roads)}
    if len(set(row.values())) == 1:
        return "always" if row[frozenset()] else "never"
    return str(condition(row))


def _row_name(way: Sequence[str]) -> str:
    return " + ".join(way) or "no way past"


def _panel(name: str, by_attempt: Mapping[str, TruthTable], ways: Sequence[str], roads: Sequence[str]) -> Panel:
    columns = list(_places(subsets(roads), _LABEL_PX, _CELL_PX))
    labels = [Label(_ROW_PX * number, road) for number, road in enumerate(roads)]
    dots = [Mark(x, _ROW_PX * number, road in on) for number, road in enumerate(roads) for on, x in columns]
    cells = []
    top = _ROW_PX * len(roads) + _GAP_PX
    for attempt, table in by_attempt.items():
        labels.append(Label(top, attempt, name=True))
        rows = list(_places(subsets(ways), top + _NAME_PX, _ROW_PX))
        labels += [Label(y, "both" if len(way) == 2 else _row_name(way)) for way, y in rows]
        cells += [Mark(x, y, table[frozenset((*way, *on))]) for way, y in rows for on, x in columns]
        top = rows[-1][1] + _ROW_PX + _GAP_PX
    return Panel(name, columns[-1][1] + _CELL_PX, top, tuple(labels), tuple(dots), tuple(cells))


def _places(sets: Sequence[Sequence[str]], start: int, step: int) -> Iterator[tuple[Sequence[str], int]]:
    """Each set with its place; between sets of different sizes there is a gap."""
    for number, chosen in enumerate(sets):
        yield chosen, start + step * number + _GAP_PX * len(chosen)
