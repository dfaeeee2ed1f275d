"""A timeline as an SVG file, for a page that shows pictures only, such as a README. Pure.

The text of an SVG does not wrap, so that it is broken here, by an estimate of its width that is on the safe side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kit.report.drawing import SIDE_MARKS, render
from kit.report.gutter import Line
from kit.report.panel import SERVERS_SHOWN, Panel, Row, Sides, in_a_legend, in_words

WIDTH_PX = 960
_MARGIN_PX, _LINE_PX, _ROW_PX, _NAME_PX, _TITLE_PX = 18, 18, 9, 34, 22
_TIME_PX, _LANE_PX = 64, 78
_LETTER_PX, _CAPITAL_PX, _CODE_PX = 7.0, 9.4, 6.8  # the width of a letter at 13 pixels, and in a place
_BOLD, _QUIET = 1.18, 0.93  # how much wider a text is when it is bold, or small
LEGEND = (
    "Time runs downwards. An arrow leads from each engine to the requests that used it, or to a query outside requests."
    " ● {right}, ▲ {wrong} (thicker line)."
)
_NARROW_PX = 620  # below this width a place has a line of its own


@dataclass(frozen=True, slots=True)
class _Placed:
    """A row with its distance from the top and its height in pixels, its text in lines, and its line of code."""

    row: Row
    lines: tuple[Line, ...]
    top: int
    height: int
    text: tuple[str, ...]
    code: str


@dataclass(frozen=True, slots=True)
class _PlacedPanel:
    """A panel, its legend of databases in lines (text, side of the first line), and its rows."""

    panel: Panel
    top: int
    legend: tuple[tuple[str, str | None], ...]
    rows: tuple[_Placed, ...]


def svg(title: str, panels: Sequence[Panel], width: int = WIDTH_PX, *, sides: Sides = SERVERS_SHOWN) -> str:
    """Draw a timeline as an SVG file of this width in pixels, with its title and description."""
    heading = wrapped(title, (width - 2 * _MARGIN_PX) / _BOLD)
    legend = wrapped(LEGEND.format(right=sides[0], wrong=sides[1]), (width - 2 * _MARGIN_PX) / _QUIET)
    top = _MARGIN_PX + _TITLE_PX * len(heading) + _LINE_PX * len(legend)
    time = _time_px(panels)
    placed = []
    for panel in panels:
        named = tuple(_named(panel, width))
        below = top + _NAME_PX + _LINE_PX * len(named)
        rows = _placed(panel, below, width, time)
        placed.append(_PlacedPanel(panel, top, named, rows))
        top = rows[-1].top + rows[-1].height if rows else below + _LINE_PX
    description = " ".join(f"{one.name}: {'; '.join(_words(one)) or 'no step'}." for one in panels)
    return render(
        "timeline.svg", title=title, heading=heading, legend=legend, description=description, panels=placed,
        width=width, height=top + _MARGIN_PX, margin=_MARGIN_PX, time=time, lane=_LANE_PX, line_height=_LINE_PX,
        narrow=width < _NARROW_PX, title_height=_TITLE_PX,
    )


def _words(panel: Panel) -> Iterator[str]:
    yield from map(in_a_legend, panel.databases)
    yield from map(in_words, panel.rows)


def _named(panel: Panel, width: int) -> Iterator[tuple[str, str | None]]:
    """The legend of the short names, in lines; the first line of each has its side."""
    for one in panel.databases:
        text = f"{SIDE_MARKS.get(one.side or '', '')} {one.name}: {one.described}".strip()
        first, *more = wrapped(text, (width - 2 * _MARGIN_PX) / _BOLD)
        yield first, one.side
        yield from ((line, None) for line in more)


def _time_px(panels: Sequence[Panel]) -> int:
    """The width of the times: an arrow ends before the longest."""
    longest = max((len(row.ms) for one in panels for row in one.rows), default=0)
    return max(_TIME_PX, int(_LETTER_PX * longest) + 2 * _ROW_PX)


def _placed(panel: Panel, top: int, width: int, time: int) -> tuple[_Placed, ...]:
    found = []
    narrow = width < _NARROW_PX
    left = _MARGIN_PX + panel.width + (0 if narrow else time + _LANE_PX)
    for row, lines in panel.drawn:
        place_px = 0.0 if narrow or not row.place else (len(row.place) + 2) * _CODE_PX
        text = _text(row, width - _MARGIN_PX - left - place_px)
        more = 1 + bool(row.place) if narrow else 0  # time and lane have a line of their own, and so has the place
        code = _beginning(row.code, width - _MARGIN_PX - left) if row.whole else ""
        height = _LINE_PX * (len(text) + more + bool(code)) + _ROW_PX
        found.append(_Placed(row, lines, top, height, text, code))
        top += height
    return tuple(found)


def _text(row: Row, width: float) -> tuple[str, ...]:
    if row.lane == "answer":
        return wrapped(f"{SIDE_MARKS.get(row.side or '', '')} {row.text}".strip(), width / _BOLD)
    mark = f"{SIDE_MARKS[row.side]} " if row.names and row.side in SIDE_MARKS else ""
    named = f"{row.text}: {mark}{row.names}" if row.names else row.text
    return wrapped(named + (f", uses {', '.join(row.uses)}" if row.uses else ""), width)


def _beginning(code: str, width: float) -> str:
    """As much of a line of code as one line of the picture holds."""
    at_most = int(width / _CODE_PX)
    return code if len(code) <= at_most else f"{code[:at_most - 1]}…"


def wrapped(text: str, width: float) -> tuple[str, ...]:
    """Break a text into lines of at most `width` pixels, in 13 pixel letters; a word that is longer is broken, too."""
    lines = [""]
    for word in text.split():
        if lines[-1] and _width(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and _width(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return tuple(lines)


def _width(text: str) -> float:
    return sum(_LETTER_PX if letter.islower() or letter in " .,:;'|()/" else _CAPITAL_PX for letter in text)
