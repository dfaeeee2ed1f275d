"""The timeline of a test as a picture: from the variable to the server that answered, one panel for each run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kit.evidence import Evidence
from kit.report.picture import Picture
from kit.report.steps import LANES, Step, steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Told apart by anyone: two colours of the Okabe-Ito palette, and the lanes say it in words.
COLOURS = {"test": "#0072B2", "production": "#D55E00"}
NEUTRAL = "#444444"
_NAMES = {"test": "test\nserver", "production": "production\nserver"}
_WIDTH_INCHES, _ROW_INCHES, _HEAD_INCHES = 9.5, 0.27, 0.95
_TEXT_AT, _RIGHT_EDGE = len(LANES) - 0.2, 12.4  # in lanes
_ROOM = 60  # characters between the two


def timeline(runs: Mapping[str, Evidence], test: str) -> Picture:
    """Draw the steps of `test` in each run, one panel above the other; the key of a run is its panel's title.

    Time goes down. Steps are evenly spaced, for the time between them runs from microseconds to seconds; it is
    printed beside each.
    """
    from matplotlib.figure import Figure

    found = {title: steps(evidence, test) for title, evidence in runs.items()}
    heights = [_HEAD_INCHES + _ROW_INCHES * max(len(list_), 1) for list_ in found.values()]
    figure = Figure(figsize=(_WIDTH_INCHES, sum(heights)), layout="constrained")
    panels = figure.subplots(len(found), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, list_) in zip(panels, found.items(), strict=True):
        _panel(axes, title, list_)
    return Picture(figure, "\n".join(_words(title, list_) for title, list_ in found.items()))


def _panel(axes: Axes, title: str, list_: tuple[Step, ...]) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    for side in COLOURS:
        lane = LANES.index(side)
        axes.axvspan(lane - 0.5, lane + 0.5, color=COLOURS[side], alpha=0.12, linewidth=0)
    lanes = [LANES.index(step.lane) if step.lane in LANES else -1 for step in list_]
    axes.plot(lanes, range(len(list_)), color="#999999", linewidth=0.9, zorder=1)
    for row, (lane, step) in enumerate(zip(lanes, list_, strict=True)):
        colour = COLOURS.get(step.side or "", NEUTRAL)
        axes.scatter(lane, row, s=62, color=colour, zorder=3)
        axes.text(_TEXT_AT, row, step.text, color=colour, fontsize=9, verticalalignment="center")
        axes.text(_RIGHT_EDGE, row, _short_place(step), color=NEUTRAL, fontsize=8, family="monospace",
                  verticalalignment="center", horizontalalignment="right")
    axes.set_xticks(range(len(LANES)), [_NAMES.get(lane, lane) for lane in LANES], fontsize=8)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(list_)), [f"{1000 * step.at_s:,.0f} ms" for step in list_], fontsize=8)
    axes.set_xlim(-0.6, _RIGHT_EDGE)
    axes.set_ylim(max(len(list_), 1) - 0.4, -0.6)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _words(title: str, list_: tuple[Step, ...]) -> str:
    said = [f"{step.lane}: {step.text}" + (f" at {_place(step)}" if step.where else "") for step in list_]
    return "\n  ".join([f"{title}.", *said])


def _place(step: Step) -> str:
    return f"{step.where.file}:{step.where.line}" if step.where else ""


def _short_place(step: Step) -> str:
    """The place of a step, by the file's name alone where its path would run into the text."""
    place = _place(step)
    return place if len(step.text) + len(place) <= _ROOM else f"…/{place.rpartition('/')[2]}"
