"""The cost and remaining rows of each way to clean a database, as tables and a drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from kit.report.drawing import Drawing, macro
from kit.trials.cleaning import Cost, Joined

if TYPE_CHECKING:
    import pandas

_OWN_DATABASE = ("template clone", "fresh database")


@dataclass(frozen=True, slots=True)
class Dot:
    """A way to clean a database on the scale of costs; `own` is whether it makes a database for each test."""

    way: str
    cost: str
    percent: float
    own: bool


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


def costs_drawing(found: Iterable[Cost]) -> Drawing:
    """The medians as marks on a logarithmic scale, the cheapest at the top.

    Marks, because a logarithmic scale has no zero from which the length of a bar could be measured.
    """
    measured = sorted(found, key=lambda cost: cost.median_ms)
    lines = [f"{cost.way}: {cost.median_ms:.1f} ms" for cost in measured]
    title = _finding(measured, lines)
    ticks = _ticks([cost.median_ms for cost in measured])
    dots = [Dot(cost.way, f"{cost.median_ms:.1f} ms", _percent(cost.median_ms, ticks), cost.way in _OWN_DATABASE)
            for cost in measured]
    drawn = macro("costs.html", "figure")(title, dots, [(f"{tick:g}", _percent(tick, ticks)) for tick in ticks])
    return Drawing(title, "\n".join(lines), str(drawn).strip())


def _ticks(medians_ms: Sequence[float]) -> list[float]:
    """The powers of ten from the one below the cheapest to the one above the dearest."""
    low, high = floor(log10(min(medians_ms))), ceil(log10(max(medians_ms)))
    return [10.0**power for power in range(low, max(high, low + 1) + 1)]


def _percent(ms: float, ticks: Sequence[float]) -> float:
    """Where a time is on the scale, from 0 at the first tick to 100 at the last."""
    return round(100 * log10(ms / ticks[0]) / log10(ticks[-1] / ticks[0]), 1)


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
