"""The board's widgets without trials: what is displayed when none can be run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kit.errors import PairError
from kit.notebooks.board.widgets import WidgetBoard
from kit.specimens.trial import Trial


class WithoutServers:
    """A session whose servers have died."""

    def each(self, trials: Any, progress: Any = None) -> Iterator[Any]:
        raise PairError("the server test has died", remedy="kit down, then kit up")


def test_an_error_is_displayed_and_the_board_can_be_used_again(capsys: pytest.CaptureFixture[str]) -> None:
    """The cell that began it has ended, so the board says what happened and what to do; its buttons work again."""
    board = WidgetBoard(WithoutServers(), Trial())
    for _ in range(2):
        board.get_ready()
        board.wait(60)
        said = board.controls.message.value
        assert "This did not work. PairError: the server test has died" in said
        assert "kit down, then kit up" in said
        assert not board.controls.run.disabled
        assert board.controls.stop.disabled
    assert board.result is None
    assert capsys.readouterr().err.count("PairError") >= 2
