"""The cost and remaining rows of each way to clean a database, as tables and a figure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kit.report.picture import Picture
from kit.trials.cleaning import Cost, Joined

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

KEEPS_THE_DATABASE, A_DATABASE_EACH = "#0072B2", "#777777"
_OWN_DATABASE = ("template clone", "fresh database")
_LOOKS = {
    False: ("keeps one database", "o", KEEPS_THE_DATABASE),
    True: ("makes a database for each test", "s", A_DATABASE_EACH),
}
"""The label, the shape and the colour of a dot, by whether the way makes a database for each test."""
_WIDTH_INCHES, _ROW_INCHES = 7.5, 0.38


def costs(found: Iterable[Cost]) -> pandas.DataFrame:
    """One row per way: its median, the ratio to the cheapest, and what the next test finds."""
    import pandas

    measured = sorted(found, key=lambda cost: cost.median_ms)
    rows = [
        [cost.way, round(cost.median_ms, 1), round(cost.median_ms / measured[0].median_ms), cost.own_rows,
         cost.other_rows, "yes" if cost.counts_anew else "no"]
        for cost in measured
    ]
    columns = ["way", "median, ms", "times the cheapest", "own rows left", "others' rows left", "counts from 1"]
    return pandas.DataFrame(rows, columns=columns).set_index("way").rename_axis(index=None, columns="way")


def costs_picture(found: Iterable[Cost]) -> Picture:
    """The medians as dots on a logarithmic scale, the cheapest at the top.

    Dots, because a logarithmic scale has no zero from which the length of a bar could be measured.
    """
    from matplotlib.figure import Figure

    measured = sorted(found, key=lambda cost: cost.median_ms)
    figure = Figure(figsize=(_WIDTH_INCHES, 1.2 + _ROW_INCHES * len(measured)), layout="constrained")
    axes = figure.subplots()
    _dots(axes, [cost.way for cost in measured], measured)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("set-up and clean-up of one test, median, ms (logarithmic)", fontsize=9)
    axes.margins(x=0.15, y=0.12)
    axes.invert_yaxis()
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=2, fontsize=9, frameon=False)
    lines = [f"{cost.way}: {cost.median_ms:.1f} ms" for cost in measured]
    return Picture(figure, _finding(measured, lines), "\n".join(lines))


def _finding(measured: list[Cost], lines: list[str]) -> str:
    """What the picture shows: the step between the two groups, or the range where there is only one."""
    made = [cost.median_ms for cost in measured if cost.way in _OWN_DATABASE]
    kept = [cost.median_ms for cost in measured if cost.way not in _OWN_DATABASE]
    if not made or not kept:
        ways = "1 way" if len(lines) == 1 else f"each of {len(lines)} ways"
        return f"What {ways} to clean a database costs a test: {', '.join(lines)}"
    return (
        f"The cheapest database for each test costs {min(made) / max(kept):.1f} times the dearest way that keeps one: "
        f"{min(made):.1f} ms against {max(kept):.1f} ms"
    )


def _dots(axes: Axes, rows: list[str], measured: Iterable[Cost]) -> None:
    """One dot per way, in its row; its shape and its colour both say whether the way makes a database for each test."""
    groups: dict[bool, list[Cost]] = {False: [], True: []}
    for cost in measured:
        groups[cost.way in _OWN_DATABASE].append(cost)
    for own, costs_ in groups.items():
        label, shape, colour = _LOOKS[own]
        at = [rows.index(cost.way) for cost in costs_]
        axes.plot([cost.median_ms for cost in costs_], at, shape, color=colour, markersize=9, label=label)
        for row, cost in zip(at, costs_, strict=True):
            axes.annotate(f"{cost.median_ms:.1f} ms", (cost.median_ms, row), (9, 0), textcoords="offset points",
                          va="center", fontsize=9)
    axes.set_yticks(range(len(rows)), rows)


def join_modes(found: Iterable[Joined]) -> pandas.DataFrame:
    """One row per mode: the rows that the test sees after the route's commit and rollback, and those that remain."""
    import pandas

    rows: dict[str, dict[str, object]] = {}
    for one in found:
        row = rows.setdefault(one.mode, {})
        row[f"seen after {one.ending}"] = one.seen
        row["left at the end"] = max(one.left, int(str(row.get("left at the end", 0))))
    table = pandas.DataFrame.from_dict(rows, orient="index")
    order = [name for name in table.columns if name != "left at the end"] + ["left at the end"]
    return table[order].rename_axis(index=None, columns="join_transaction_mode")
