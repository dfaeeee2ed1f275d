"""The time from a click on the board to its picture, for tools/bench.py."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench_figures import Figure, in_turn

from kit.notebooks.board.settings import clean
from kit.notebooks.board.widgets import WidgetBoard
from kit.notebooks.cells import Session
from kit.pair import open_pair
from kit.specimens.trial import Trial
from kit.trials.fork_server import close_idle

PICTURE_MS = 600.0
TRIALS = {"the suite, the CI way": Trial(), "one test, by hand": Trial(selection="individual", way="by_hand")}
WAIT_S = 60.0


def figures(runs: int) -> Iterator[Figure]:
    """Yield the figures of runs on a board that is ready: beside a clean project that is known, and that is not."""
    with open_pair("embedded") as pair:
        session = Session(None, pair)
        board = WidgetBoard(session, Trial())  # as in notebooks/00_board.ipynb
        board.get_ready()
        board.wait(WAIT_S)
        for name, trial in TRIALS.items():
            for said, forget in (("", False), (", its clean project too", True)):
                clicked_s, alone_s = in_turn(
                    lambda trial=trial, forget=forget: _click(board, trial, forget),
                    lambda trial=trial: _alone(session, trial), runs,
                )  # fmt: skip
                what, clicked_ms, alone_ms = f"a click: {name}{said}", 1000 * clicked_s, 1000 * alone_s
                yield Figure(what, clicked_ms, "the trial alone", alone_ms, PICTURE_MS, "ms", runs)
    close_idle()


def _click(board: WidgetBoard, trial: Trial, forget: bool) -> float:
    """The seconds from the click on *Run* until all is displayed; `forget` runs the clean project again, too."""
    _set(board, trial)
    board._run_clean(trial)
    if forget:
        del board._clean[clean(trial)]
    began = time.perf_counter()
    board.controls.run.click()
    board.wait(WAIT_S)
    seconds = time.perf_counter() - began
    if board.result is None or not board.controls.shown.value:
        raise SystemExit(f"the board shows nothing: {board.controls.message.value}")
    return seconds


def _set(board: WidgetBoard, trial: Trial) -> None:
    for name, box in board.controls.boxes.items():
        box.value = name in trial.mechanisms
    board.controls.attempt.value = trial.attempt
    board.controls.selection.value, board.controls.way.value = trial.selection, trial.way


def _alone(session: Session, trial: Trial) -> float:
    began = time.perf_counter()
    session.run([trial])
    return time.perf_counter() - began
