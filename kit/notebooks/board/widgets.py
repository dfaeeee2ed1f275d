"""The board as widgets: checkboxes, choices and buttons; the pure modules decide what is run and displayed.

Trials run in a thread of their own, so that the buttons, above all *Stop*, respond during a run.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import ipywidgets as w

from kit.evidence.model import Evidence
from kit.evidence.verdict import Verdict, isolation
from kit.notebooks.board.flipping import flips
from kit.notebooks.board.page import (
    CLASSES,
    code_html,
    comparison_html,
    flips_html,
    message_html,
    style,
    verdict_box_html,
)
from kit.notebooks.board.result import THE_CLEAN_PROJECT, Result
from kit.notebooks.board.settings import (
    MECHANISM_BOXES,
    SELECTIONS,
    VARIANT_BOXES,
    WAYS,
    Box,
    as_code,
    clean,
    in_words,
    refusal,
)
from kit.notebooks.frontend import Tell
from kit.specimens.attempts import ATTEMPTS
from kit.specimens.trial import Trial

NO_PREDICTION = ""  # ipywidgets takes the value None for no selection
PREDICTIONS: tuple[tuple[str, str], ...] = (
    ("nothing", NO_PREDICTION),
    ("HOLDS: the test server answers every request", Verdict.HOLDS),
    ("BROKEN: production answers at least one", Verdict.BROKEN),
)
CLEAN = 0  # the clean project's number in the list of runs to compare with
GETTING_READY = "Getting ready: the clean project is run once."


class RunsTrials(Protocol):
    """Runs the trials of a board, as a notebook's session does."""

    def each(self, trials: list[Trial], progress: Tell | None = None) -> Iterator[Evidence]:
        """Run trials, and yield the evidence of each when it completes."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run of this board, with its number."""

    number: int
    evidence: Evidence

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"run {self.number}"

    @property
    def title(self) -> str:
        """Its name in the list of runs."""
        trial = self.evidence.trial
        said = in_words(trial) if trial is not None else ""
        return f"run {self.number}: {isolation(self.evidence).verdict}, {said}"


@dataclass
class Controls:
    """The widgets of a board, all of them plain ipywidgets, which can be used by keyboard."""

    boxes: dict[str, Any]
    attempt: Any
    selection: Any
    way: Any
    prediction: Any
    run: Any
    flip: Any
    stop: Any
    code: Any
    more: Any
    beside: Any
    variants: Any
    message: Any
    progress: Any
    score: Any
    code_shown: Any
    verdict_shown: Any
    flips_shown: Any
    shown: Any
    all: Any = field(default=None, repr=False)


class WidgetBoard:
    """A displayed board. The widgets hold its setting, `runs` its earlier runs."""

    def __init__(self, runner: RunsTrials, trial: Trial) -> None:
        self.runs: list[Earlier] = []
        self.result: Result | None = None
        self.controls = _controls(trial)
        self._runner = runner
        self._clean: dict[Trial, Evidence] = {}
        self._right = self._predicted = 0
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._running = False
        self._attach()
        self._changed()

    @property
    def trial(self) -> Trial:
        """The current setting as a trial."""
        controls = self.controls
        on = tuple(name for name, box in controls.boxes.items() if box.value)
        return Trial(on, controls.attempt.value, controls.selection.value, controls.way.value)

    def get_ready(self) -> None:
        """Run the clean project, so that the user's first run does not wait for one-time start-up work."""
        self._begin(lambda: self._run_clean(self.trial), GETTING_READY)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until no trial runs. Raises TimeoutError after `timeout_s` seconds."""
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                raise TimeoutError(f"the board still runs after {timeout_s} s")

    def _attach(self) -> None:
        controls = self.controls
        for setting in (*controls.boxes.values(), controls.attempt, controls.selection, controls.way):
            setting.observe(lambda _: self._changed(), "value")
        controls.run.on_click(lambda _: self._begin(self._run, "Running."))
        controls.flip.on_click(lambda _: self._begin(self._flip, "Flipping each box once."))
        controls.stop.on_click(lambda _: self._stopped.set())
        controls.code.observe(lambda _: self._changed(keep=True), "value")
        controls.more.observe(lambda change: _show_if(controls.variants, change.new), "value")
        controls.beside.observe(lambda _: self._show_result(), "value")

    def _changed(self, *, keep: bool = False) -> None:
        """Update message and code after a change; unless `keep`, discard the prediction for the old setting."""
        if not self._running:
            self._show_message("")
        self.controls.code_shown.value = code_html(as_code(self.trial)) if self.controls.code.value else ""
        if not keep:
            self.controls.prediction.value = NO_PREDICTION

    def _show_message(self, text: str) -> None:
        """Display a message, or the reason why the setting cannot be run, and enable the buttons that can be used."""
        refused = refusal(self.trial)
        changed = self.result is not None and _with_default_stack(self.result.this) != self.trial
        said = text or ("What is below is of another setting. Run shows this one." if changed else "")
        self.controls.message.value = message_html(f"This cannot be run. {refused}" if refused else said)
        for button in (self.controls.run, self.controls.flip):
            button.disabled = bool(refused) or self._running
        self.controls.stop.disabled = not self._running

    def _begin(self, work: Callable[[], None], said: str) -> None:
        if self._running or refusal(self.trial):
            return
        self._running = True
        self._stopped.clear()
        self._show_message(said)
        self._thread = threading.Thread(target=self._work, args=(work,), name="kit-board", daemon=True)
        self._thread.start()

    def _work(self, work: Callable[[], None]) -> None:
        said = ""
        try:
            work()
            said = "Stopped." if self._stopped.is_set() else ""
        # Any error must be displayed on the board, because the cell that started it has ended.
        except Exception as error:
            said = f"This did not work. {type(error).__name__}: {error}"
            traceback.print_exception(error)
        finally:
            self._running = False
            self.controls.progress.value = ""
            self._show_message(said)

    def _run(self) -> None:
        trial, predicted = self.trial, Verdict(said) if (said := self.controls.prediction.value) else None
        wanted = [trial, *([] if clean(trial) in self._clean else [clean(trial)])]
        found = {_with_default_stack(one): one for one in self._each(list(dict.fromkeys(wanted)))}
        if clean(trial) in found:
            self._clean[clean(trial)] = found[clean(trial)]
        if trial not in found or clean(trial) not in self._clean:
            return  # stopped before both runs were complete
        earlier = Earlier(len(self.runs) + 1, found[trial])
        self.runs.append(earlier)
        self._count(predicted, isolation(found[trial]).verdict)
        self.result = Result(found[trial], self._clean[clean(trial)], THE_CLEAN_PROJECT, predicted)
        self.controls.flips_shown.value = ""
        self._list_runs()
        self._show_result()

    def _run_clean(self, trial: Trial) -> None:
        for one in self._each([clean(trial)]):
            self._clean[_with_default_stack(one)] = one

    def _flip(self) -> None:
        trial = self.trial
        if self.result is None or _with_default_stack(self.result.this) != trial:
            self._run()
        if self.result is None or self._stopped.is_set():
            return
        for found in flips(self.result.this, lambda trials: self._each(list(trials))):
            self.controls.flips_shown.value = flips_html(found)

    def _each(self, trials: list[Trial]) -> Iterator[Evidence]:
        """Run trials until all are complete or *Stop* is clicked."""
        running = self._runner.each(trials, self._show_progress)
        try:
            for evidence in running:
                yield evidence
                if self._stopped.is_set():
                    return
        finally:
            close = getattr(running, "close", None)
            if close is not None:
                close()

    def _show_progress(self, progress: object) -> None:
        self.controls.progress.value = f'<span role="status">{progress}</span>'

    def _count(self, predicted: Verdict | None, verdict: Verdict) -> None:
        if predicted is not None:
            self._predicted += 1
            self._right += predicted is verdict
            self.controls.score.value = f"Predictions that held: {self._right} of {self._predicted}"

    def _list_runs(self) -> None:
        chosen = self.controls.beside.value
        last = self.runs[-1]
        options = [(THE_CLEAN_PROJECT, CLEAN), *((one.title, one.number) for one in self.runs if one is not last)]
        with self.controls.beside.hold_trait_notifications():
            self.controls.beside.options = options
            self.controls.beside.value = chosen if chosen in [value for _, value in options] else CLEAN

    def _show_result(self) -> None:
        if self.result is None:
            return
        number = self.controls.beside.value
        if number == CLEAN:
            trial = _with_default_stack(self.result.this)
            self.result = replace(self.result, other=self._clean[clean(trial)], beside=THE_CLEAN_PROJECT)
        else:
            other = self.runs[number - 1]
            self.result = replace(self.result, other=other.evidence, beside=other.name)
        self.controls.verdict_shown.value = verdict_box_html(self.result)
        self.controls.shown.value = comparison_html(self.result)


def _controls(trial: Trial) -> Controls:
    boxes = {box.name: _checkbox(box, box.name in trial.mechanisms) for box in (*MECHANISM_BOXES, *VARIANT_BOXES)}
    variants = w.VBox([_legend("Variants: smaller changes, which single notebooks need"), _grid(VARIANT_BOXES, boxes)])
    any_variant = any(box.name in trial.mechanisms for box in VARIANT_BOXES)
    found = Controls(
        boxes=boxes,
        attempt=_menu("Attempt", [(one.title, name) for name, one in ATTEMPTS.items()], trial.attempt),
        selection=w.RadioButtons(options=[(text, name) for name, text in SELECTIONS.items()], value=trial.selection),
        way=w.RadioButtons(options=[(text, name) for name, text in WAYS.items()], value=trial.way),
        prediction=w.RadioButtons(options=PREDICTIONS, value=NO_PREDICTION),
        run=w.Button(description="Run", button_style="primary", icon="play"),
        flip=w.Button(description="What flips it?", tooltip="Run it again with each box flipped, one at a time"),
        stop=w.Button(description="Stop", icon="stop", disabled=True),
        code=w.ToggleButton(description="As code", value=False),
        more=w.ToggleButton(description=f"More boxes ({len(VARIANT_BOXES)})", value=any_variant),
        beside=_menu("Compare with", [(THE_CLEAN_PROJECT, CLEAN)], CLEAN),
        variants=variants,
        message=w.HTML(), progress=w.HTML(), score=w.HTML(), code_shown=w.HTML(),
        verdict_shown=w.HTML(), flips_shown=w.HTML(), shown=w.HTML(),
    )
    _show_if(variants, any_variant)
    found.all = _laid_out(found)
    return found


def _laid_out(controls: Controls) -> Any:
    row = w.Layout(flex_flow="row wrap", grid_gap="0 1.5rem", align_items="flex-start")
    choices = w.Box([
        _group("The remedy in the conftest", controls.attempt),
        _group("What is run", controls.selection),
        _group("Who starts it", controls.way),
        _group("I predict", controls.prediction),
    ], layout=row)
    buttons = w.Box(
        [controls.run, controls.flip, controls.stop, controls.code, controls.more, controls.progress, controls.score],
        layout=w.Layout(flex_flow="row wrap", grid_gap="0 .4rem", align_items="center"),
    )
    found = w.VBox([
        w.HTML(style()),
        _legend("Mechanisms: what the theories blame"),
        _grid(MECHANISM_BOXES, controls.boxes),
        controls.variants,
        choices,
        buttons,
        controls.message,
        controls.code_shown,
        controls.beside,
        controls.verdict_shown,
        controls.flips_shown,
        controls.shown,
    ])
    found.add_class("kit-board-controls")
    for shown in (
        controls.message, controls.progress, controls.code_shown, controls.verdict_shown, controls.flips_shown,
        controls.shown,
    ):
        for name in CLASSES.split():
            shown.add_class(name)
    return found


def _menu(label: str, options: list[tuple[str, Any]], value: Any) -> Any:
    return w.Dropdown(description=label, options=options, value=value, style={"description_width": "initial"})


def _checkbox(box: Box, on: bool) -> Any:
    return w.Checkbox(value=on, description=box.title, indent=False, tooltip=box.says)


def _grid(which: tuple[Box, ...], boxes: dict[str, Any]) -> Any:
    cells = []
    for box in which:
        cell = w.VBox([boxes[box.name], w.HTML(f'<div class="kb-says">{box.says}</div>')])
        cell.add_class("kb-box")
        cells.append(cell)
    grid = w.Box(cells)
    grid.add_class("kb-boxes")
    return grid


def _group(title: str, *inside: Any) -> Any:
    group = w.VBox([_legend(title), *inside])
    group.add_class("kb-group")
    return group


def _legend(text: str) -> Any:
    return w.HTML(f'<div class="kb-legend">{text}</div>')


def _show_if(widget: Any, shown: bool) -> None:
    widget.layout.display = None if shown else "none"


def _with_default_stack(evidence: Evidence) -> Trial:
    """The run's trial with the board's default stack; the session chooses the actual one."""
    assert evidence.trial is not None
    return replace(evidence.trial, stack=Trial().stack)
