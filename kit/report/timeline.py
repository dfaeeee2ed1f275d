"""The timeline of a test as a figure: from the variable to the server that answered, one panel for each run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kit.answer.model import Answer
from kit.answer.timeline import subject
from kit.answer.timeline import timeline as moments
from kit.evidence.model import Evidence
from kit.report.picture import Picture
from kit.report.steps import LANES, Lane, Step, steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Two colours of the Okabe-Ito palette, distinguishable with any colour vision; the lanes also carry words.
COLOURS = {"test": "#0072B2", "production": "#D55E00"}
NEUTRAL = "#444444"
ANSWER_LANES: tuple[Lane, ...] = ("variable", "engine", "override", "request", "allowed", "not allowed")
_JUDGED: dict[bool | None, Lane] = {True: "allowed", False: "not allowed", None: "not judged"}
_COLOURS = COLOURS | {"allowed": COLOURS["test"], "not allowed": COLOURS["production"]}
_NAMES = {"test": "test\nserver", "production": "production\nserver", "not allowed": "not\nallowed"}
_WIDTH_INCHES, _ROW_INCHES, _HEAD_INCHES = 9.5, 0.27, 0.95
_TEXT_AT, _RIGHT_EDGE = len(LANES) - 0.2, 14.2  # in lanes
_ROOM_POINTS, _GAP_POINTS = 342, 12  # between the two, and the part of it that must stay free
_TEXT_POINTS, _PLACE_POINTS = 9, 8


def timeline(runs: Mapping[str, Evidence], test: str) -> Picture:
    """Draw the steps of `test` in each run, one panel above the other; the key of a run is its panel's title.

    Time runs downwards. Steps are evenly spaced, because the intervals range from microseconds to seconds; the time is
    printed beside each step.
    """
    name = test.rpartition("::")[2]
    return _picture(f"Timeline of {name}", {title: steps(evidence, test) for title, evidence in runs.items()}, LANES)


def answer_timeline(answer: Answer) -> Picture:
    """Draw what led to the first wrong database of a suite, else to the database of its first test."""
    about = subject(answer)
    title = "" if about is None else about.test or "outside the tests"
    found = tuple(
        Step(moment.at_s, lane, moment.what, moment.where, lane if moment.lane == "database" else None)
        for moment in moments(answer, about)
        for lane in [_JUDGED[moment.allowed] if moment.lane == "database" else moment.lane]
    )
    return _picture("Timeline of what led to the first wrong database", {title: found}, ANSWER_LANES)


def _picture(what: str, found: Mapping[str, tuple[Step, ...]], lanes: tuple[Lane, ...]) -> Picture:
    from matplotlib.figure import Figure

    heights = [_HEAD_INCHES + _ROW_INCHES * max(len(list_), 1) for list_ in found.values()]
    figure = Figure(figsize=(_WIDTH_INCHES, sum(heights)), layout="constrained")
    panels = figure.subplots(len(found), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, list_) in zip(panels, found.items(), strict=True):
        _panel(axes, title, list_, lanes)
    ends = "; ".join(f"{panel or 'the run'}: {_end(list_)}" for panel, list_ in found.items())
    return Picture(figure, f"{what}. {ends}", "\n".join(_words(panel, list_) for panel, list_ in found.items()))


def _panel(axes: Axes, title: str, list_: tuple[Step, ...], lanes: tuple[Lane, ...]) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    for number, lane in enumerate(lanes):
        if lane in _COLOURS:
            axes.axvspan(number - 0.5, number + 0.5, color=_COLOURS[lane], alpha=0.12, linewidth=0)
    across = [lanes.index(step.lane) if step.lane in lanes else -1 for step in list_]
    axes.plot(across, range(len(list_)), color="#999999", linewidth=0.9, zorder=1)
    for row, (lane_at, step) in enumerate(zip(across, list_, strict=True)):
        colour = _COLOURS.get(step.side or "", NEUTRAL)
        axes.scatter(lane_at, row, s=62, color=colour, zorder=3)
        text, place = _fitted(step)
        axes.text(_TEXT_AT, row, text, color=colour, fontsize=_TEXT_POINTS, verticalalignment="center")
        axes.text(_RIGHT_EDGE, row, place, color=NEUTRAL, fontsize=_PLACE_POINTS, family="monospace",
                  verticalalignment="center", horizontalalignment="right")
    axes.set_xticks(range(len(lanes)), [_NAMES.get(lane, lane) for lane in lanes], fontsize=8)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(list_)), [f"{1000 * step.at_s:,.0f} ms" for step in list_], fontsize=8)
    axes.set_xlim(-0.6, _RIGHT_EDGE)
    axes.set_ylim(max(len(list_), 1) - 0.4, -0.6)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _end(list_: tuple[Step, ...]) -> str:
    """The last step of a panel in words: which server answered in the end."""
    answers = [step for step in list_ if step.side is not None]
    last = (answers or list_)[-1:]
    return f"{len(list_)} steps, in the end {last[0].text}" if last else "no step"


def _words(title: str, list_: tuple[Step, ...]) -> str:
    said = [f"{step.lane}: {step.text}" + (f" at {_place(step)}" if step.where else "") for step in list_]
    return "\n  ".join([f"{title}.", *said])


def _place(step: Step) -> str:
    return f"{step.where.file}:{step.where.line}" if step.where else ""


def _fitted(step: Step) -> tuple[str, str]:
    """The text and location of a step, cut to fit: first the path to its file name, then the text."""
    text, place = step.text, _place(step)
    if place and _width(text, _TEXT_POINTS) + _width(place, _PLACE_POINTS, "monospace") > _ROOM_POINTS - _GAP_POINTS:
        place = f"…/{place.rpartition('/')[2]}"
    room = _ROOM_POINTS - (_width(place, _PLACE_POINTS, "monospace") + _GAP_POINTS if place else 0)
    if _width(text, _TEXT_POINTS) <= room:
        return text, place
    kept = next(kept for kept in range(len(text), -1, -1) if _width(f"{text[:kept]}…", _TEXT_POINTS) <= room)
    whole_words = text[:kept].rpartition(" ")[0] or text[:kept]
    return f"{whole_words.rstrip(':;,')} …", place


def _width(text: str, points: int, family: str | None = None) -> float:
    """The width of a drawn text, in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    return float(text_to_path.get_text_width_height_descent(text, FontProperties(family=family, size=points), False)[0])
