"""The board on live servers: its widgets set and clicked as a reader would, and what real trials then show."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kit.errors import PairError
from kit.evidence.model import Evidence
from kit.evidence.verdict import Verdict, isolation
from kit.notebooks.board import Board
from kit.notebooks.board.settings import as_code
from kit.notebooks.board.widgets import CLEAN, GETTING_READY, WidgetBoard
from kit.notebooks.cells import Session
from kit.pair import Pair
from kit.specimens.trial import Trial

LIMIT_S = 120.0


@pytest.fixture(scope="module")
def session(pair: Pair) -> Session:
    return Session(None, pair)


def clicked(board: WidgetBoard, button: str) -> None:
    """Click a button, and wait until the board rests."""
    getattr(board.controls, button).click()
    board.wait(LIMIT_S)


def set_to(board: WidgetBoard, *boxes: str) -> None:
    """Tick these boxes, and no others."""
    for name, box in board.controls.boxes.items():
        box.value = name in boxes


def test_the_reported_project_is_broken_beside_the_clean_one(session: Session) -> None:
    """*Run* shows the verdict, whether the prediction held, the moment of parting, and who answered each request."""
    board = WidgetBoard(session, Trial())
    board.controls.prediction.value = "HOLDS"
    clicked(board, "run")
    assert board.result is not None
    assert (board.result.ruling.verdict, board.result.other_ruling.verdict) == (Verdict.BROKEN, Verdict.HOLDS)
    assert board.result.parted is not None
    assert board.result.parted.this is not None
    assert board.result.parted.this.text == "INTEGRATION_DATABASE_URL was there at the start"
    assert "You predicted HOLDS, and it is BROKEN." in board.controls.verdict_shown.value
    assert board.controls.score.value == "Predictions that held: 0 of 1"
    assert board.controls.shown.value.count("≠ differs") == len(board.result.requests) == 5


def test_another_setting_is_another_trial(session: Session) -> None:
    """Each control changes what is run; what was predicted was of the setting before, and is asked anew."""
    board = WidgetBoard(session, Trial())
    controls = board.controls
    controls.prediction.value = "BROKEN"
    set_to(board, "global_engine", "suite_variable")
    assert controls.prediction.value == ""
    controls.attempt.value, controls.selection.value, controls.way.value = "fresh_app", "individual", "by_hand"
    assert board.trial == Trial(("global_engine", "suite_variable"), "fresh_app", "individual", "by_hand")
    clicked(board, "run")
    assert board.result is not None
    assert board.result.this.trial == board.trial
    assert controls.score.value == ""
    set_to(board, "global_engine")
    assert "What is below is of another setting." in controls.message.value


def test_a_run_can_be_compared_with_an_earlier_one(session: Session) -> None:
    """The list has every earlier run, and choosing one shows the last run beside it, without another run."""
    board = WidgetBoard(session, Trial())
    clicked(board, "run")
    set_to(board, "ci_variable", "global_engine", "background_work")
    clicked(board, "run")
    beside = board.controls.beside
    assert [number for _, number in beside.options] == [CLEAN, 1]
    assert "Beside the clean project: " in board.controls.verdict_shown.value
    beside.value = 1
    assert "Beside run 1: " in board.controls.verdict_shown.value
    assert board.result is not None
    assert board.result.other == board.runs[0].evidence
    beside.value = CLEAN
    assert "Beside the clean project: " in board.controls.verdict_shown.value


@pytest.mark.parametrize("boxes", [("ci_variable", "global_engine"), ("global_engine",)], ids="+".join)
def test_the_code_comes_to_the_boards_verdict(session: Session, boxes: tuple[str, ...]) -> None:
    """The lines of *As code*, run in a cell of their own, run the same trial to the same verdict."""
    board = WidgetBoard(session, Trial(boxes))
    assert board.controls.code_shown.value == ""
    board.controls.code.value = True
    assert "attempt=&quot;dependency_override&quot;" in board.controls.code_shown.value
    clicked(board, "run")
    cell: dict[str, Any] = {"session": session}
    exec(as_code(board.trial), cell)
    assert board.result is not None
    assert cell["evidence"].trial == board.result.this.trial
    assert isolation(cell["evidence"]).verdict is board.result.ruling.verdict


def test_what_flips_it_tries_each_box_once(session: Session) -> None:
    """Both boxes of the report change the verdict alone, no other does, and the table says so."""
    board = Board(session)
    found = board.flips(board.run())
    assert set(found.changing) == {"ci_variable", "global_engine"}
    assert len(found.tried) == 10
    assert found.left == ()


def test_a_contradiction_cannot_be_run(session: Session) -> None:
    """Two boxes that cannot go together have no *Run*, with the reason, until one of them is taken out."""
    board = WidgetBoard(session, Trial(("early_import",)))
    board.controls.boxes["configured_in_fixture"].value = True
    assert "configured_in_fixture and early_import contradict each other" in board.controls.message.value
    assert board.controls.run.disabled
    assert board.controls.flip.disabled
    clicked(board, "run")
    assert board.runs == []
    board.controls.boxes["early_import"].value = False
    assert not board.controls.run.disabled
    assert board.controls.message.value == ""


class Watched:
    """A session of which each trial waits until it may go on."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.may_go_on = threading.Semaphore(0)
        self.came = threading.Semaphore(0)

    def each(self, trials: list[Trial], progress: Any = None) -> Iterator[Evidence]:
        for trial in trials:
            self.may_go_on.acquire()
            yield from self._session.each([trial], progress)
            self.came.release()


def test_flipping_can_be_stopped(session: Session) -> None:
    """*Stop* ends it after the trial under way; what is known by then stays, and the board can be used again."""
    watched = Watched(session)
    board = WidgetBoard(watched, Trial())
    controls = board.controls
    for _ in range(3):  # the trial, the clean project, and the first box
        watched.may_go_on.release()
    controls.flip.click()
    for _ in range(3):
        assert watched.came.acquire(timeout=LIMIT_S)
    assert (controls.run.disabled, controls.flip.disabled, controls.stop.disabled) == (True, True, False)
    controls.stop.click()
    watched.may_go_on.release()
    board.wait(LIMIT_S)
    assert "Stopped." in controls.message.value
    assert "Not tried: " in controls.flips_shown.value
    assert (controls.run.disabled, controls.flip.disabled, controls.stop.disabled) == (False, False, True)


class Broken:
    """A session whose servers have gone."""

    def each(self, trials: list[Trial], progress: Any = None) -> Iterator[Evidence]:
        raise PairError("the test server does not answer", remedy="kit up")


def test_a_run_that_fails_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    """What went wrong and what to do is on the board, which can be used again."""
    board = WidgetBoard(Broken(), Trial())
    clicked(board, "run")
    assert "the test server does not answer. To do: kit up." in board.controls.message.value
    assert not board.controls.run.disabled
    assert board.result is None
    assert "PairError" in capsys.readouterr().err


def test_the_board_gets_ready_by_running_the_clean_project(session: Session) -> None:
    """So that the reader's first run need not wait for what is started once; it is no run of the reader's."""
    board = WidgetBoard(session, Trial())
    board.get_ready()
    assert GETTING_READY in board.controls.message.value or board.controls.message.value == ""
    board.wait(LIMIT_S)
    assert board.runs == []
    assert board._clean.keys() == {Trial(())}
    assert not board.controls.run.disabled
