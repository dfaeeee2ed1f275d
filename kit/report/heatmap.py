"""A grid of verdicts as a figure: rows are what was on, columns what was tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kit.evidence.verdict import Verdict
from kit.report.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Verdicts = Mapping[tuple[str, str], Verdict]
"""The verdict of each cell, by (row, column)."""

# Two colours of the Okabe-Ito palette, distinguishable with any colour vision.
COLOURS = {"test": "#0072B2", "production": "#D55E00"}
_LOOKS = {
    Verdict.HOLDS: (COLOURS["test"], ""),
    Verdict.BROKEN: (COLOURS["production"], "✘"),
    Verdict.UNRESOLVED: ("#bbbbbb", "?"),
}
_ROW_INCHES, _COLUMN_INCHES, _LABEL_INCHES = 0.235, 0.62, 2.9


def heatmap(panels: Mapping[str, Verdicts], rows: Sequence[str], columns: Sequence[str]) -> Picture:
    """Draw one grid of verdicts per panel, side by side; the key of a panel is its title.

    A broken cell has a mark in addition to its colour, so that no information depends on colour alone. A cell without a
    verdict is empty.
    """
    from matplotlib.figure import Figure

    width = _LABEL_INCHES + len(panels) * (len(columns) * _COLUMN_INCHES + 0.2)
    figure = Figure(figsize=(width, 1.5 + _ROW_INCHES * len(rows)), layout="constrained")
    grids = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (title, verdicts) in zip(grids, panels.items(), strict=True):
        _grid(axes, title, verdicts, rows, columns)
    broken = "; ".join(f"{title}: {_broken(verdicts)} of {len(verdicts)} broken" for title, verdicts in panels.items())
    return Picture(
        figure, f"{broken}. Nowhere broken: {', '.join(_held(panels, rows, columns)) or 'no column'}",
        "\n".join(_words(title, verdicts, rows, columns) for title, verdicts in panels.items()),
    )


def _grid(axes: Axes, title: str, verdicts: Verdicts, rows: Sequence[str], columns: Sequence[str]) -> None:
    from matplotlib.patches import Rectangle

    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            if (row, column) not in verdicts:
                continue
            colour, mark = _LOOKS[verdicts[row, column]]
            axes.add_patch(Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, facecolor=colour, linewidth=0))
            axes.text(x, y, mark, color="white", fontsize=8, ha="center", va="center")
    axes.set_title(title, fontsize=10, fontweight="bold", loc="left")
    axes.set_xticks(range(len(columns)), columns, rotation=35, ha="left", fontsize=8)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _broken(verdicts: Verdicts) -> int:
    return sum(verdict is Verdict.BROKEN for verdict in verdicts.values())


def _held(panels: Mapping[str, Verdicts], rows: Sequence[str], columns: Sequence[str]) -> list[str]:
    """The columns that hold in every row of every panel."""
    return [column for column in columns if all(
        verdicts.get((row, column)) is Verdict.HOLDS for verdicts in panels.values() for row in rows)]


def _words(title: str, verdicts: Verdicts, rows: Sequence[str], columns: Sequence[str]) -> str:
    lines = []
    for column in columns:
        broken = [row for row in rows if verdicts.get((row, column)) is Verdict.BROKEN]
        lines.append(f"  {column}: {'; '.join(broken) or 'none'}")
    return "\n".join([f"{title}. Broken with:", *lines])
