"""The timeline of a test as a picture: from the variable to the server that answered, one panel for each run."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kit.evidence import Evidence
from kit.report.steps import LANES, Step, steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by anyone: the Okabe-Ito palette, and the lanes say it in words.
COLOURS = {"test": "#0072B2", "production": "#D55E00", None: "#555555"}
_NAMES = {"test": "test server", "production": "production server"}
_STEP_INCHES, _LANE_INCHES = 1.5, 0.6
_WRAP = 25  # characters


def timeline(runs: Mapping[str, Evidence], test: str) -> Figure:
    """Draw the steps of `test` in each run, one panel above the other; the key of a run is its panel's title.

    Steps are evenly spaced, for the time between them runs from microseconds to seconds; it is printed below each.
    """
    from matplotlib.figure import Figure

    found = {title: steps(evidence, test) for title, evidence in runs.items()}
    longest = max((len(list_) for list_ in found.values()), default=1)
    figure = Figure(figsize=(1.8 + _STEP_INCHES * longest, len(found) * (_LANE_INCHES * len(LANES) + 1.0)),
                    layout="constrained")
    panels = figure.subplots(len(found), 1, squeeze=False)[:, 0]
    for axes, (title, list_) in zip(panels, found.items(), strict=True):
        _panel(axes, title, list_, longest)
    return figure


def _panel(axes: Axes, title: str, list_: tuple[Step, ...], longest: int) -> None:
    height = {lane: len(LANES) - 1 - index for index, lane in enumerate(LANES)}
    for side in ("test", "production"):
        axes.axhspan(height[side] - 0.5, height[side] + 0.5, color=COLOURS[side], alpha=0.10, linewidth=0)
    places = [(index, height.get(step.lane, -1)) for index, step in enumerate(list_)]
    axes.plot([x for x, _ in places], [y for _, y in places], color="#999999", linewidth=0.8, zorder=1)
    for (x, y), step in zip(places, list_, strict=True):
        axes.scatter(x, y, s=70, color=COLOURS.get(step.side, COLOURS[None]), zorder=3)
        where = f"\n{step.where.file.rpartition('/')[2]}:{step.where.line}" if step.where else ""
        axes.annotate(
            "\n".join(textwrap.wrap(step.text, _WRAP)) + where, (x, y), xytext=(6, 5), textcoords="offset points",
            fontsize=8.5, linespacing=1.1, color=COLOURS.get(step.side, COLOURS[None]), zorder=4,
            bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1},
        )
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set_yticks([height[lane] for lane in LANES], [_NAMES.get(lane, lane) for lane in LANES])
    axes.set_xticks(range(len(list_)), [f"{1000 * step.at_s:,.0f} ms" for step in list_], fontsize=7)
    axes.set_xlim(-0.2, longest)
    axes.set_ylim(-0.5, len(LANES) - 0.3)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
