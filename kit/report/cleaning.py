"""The cost and remaining rows of each way to clean a database, as tables and a figure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kit.report.picture import Picture
from kit.trials.cleaning import Cost, Joined

if TYPE_CHECKING:
    import pandas

KEEPS_THE_DATABASE, A_DATABASE_EACH = "#0072B2", "#999999"
_OWN_DATABASE = ("template clone", "fresh database")
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
    """The medians as bars on a logarithmic scale, the cheapest at the top."""
    from matplotlib.figure import Figure

    measured = sorted(found, key=lambda cost: cost.median_ms)
    figure = Figure(figsize=(_WIDTH_INCHES, 0.9 + _ROW_INCHES * len(measured)), layout="constrained")
    axes = figure.subplots()
    colours = [A_DATABASE_EACH if cost.way in _OWN_DATABASE else KEEPS_THE_DATABASE for cost in measured]
    bars = axes.barh([cost.way for cost in measured], [cost.median_ms for cost in measured], color=colours)
    axes.bar_label(bars, [f" {cost.median_ms:.1f} ms" for cost in measured], fontsize=9)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("set-up and clean-up of one test, median, ms (logarithmic)", fontsize=9)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    lines = [f"{cost.way}: {cost.median_ms:.1f} ms" for cost in measured]
    title = f"What each of {len(lines)} ways to clean a database costs a test, from {lines[0]} to {lines[-1]}"
    return Picture(figure, title, "\n".join(lines))


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
