"""The board: a box for each mechanism, and what a trial with those that are ticked comes to, beside another run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kit.notebooks.board.flipping import Flips, flips
from kit.notebooks.board.result import Result, beside_the_clean_project
from kit.notebooks.frontend import attended
from kit.specimens.trial import Trial

if TYPE_CHECKING:
    from kit.notebooks.board.widgets import RunsTrials, WidgetBoard

__all__ = ["Board", "Flips", "Result"]


class Board:
    """The board of a notebook, set to a trial at first; it runs by `session`.

    As the value of a cell it is shown as widgets. Where nobody is there to click, it shows what it is set to, run.
    """

    def __init__(self, session: RunsTrials, trial: Trial | None = None) -> None:
        self.session = session
        self.trial = trial or Trial()
        self.widgets: WidgetBoard | None = None

    def run(self, trial: Trial | None = None) -> Result:
        """Run what the board is set to, or another trial, beside the clean project."""
        return beside_the_clean_project(trial or self.trial, self._each)

    def flips(self, result: Result) -> Flips:
        """Flip each box of what was run, one at a time, and return what each came to."""
        *_, found = flips(result.this, self._each)
        return found

    def _each(self, trials: Iterable[Trial]) -> Any:
        return self.session.each(list(trials))

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if not attended():
            display(self.run())  # type: ignore[no-untyped-call]
            return
        from kit.notebooks.board.widgets import WidgetBoard

        self.widgets = WidgetBoard(self.session, self.trial)
        display(self.widgets.controls.all)  # type: ignore[no-untyped-call]
        self.widgets.get_ready()
