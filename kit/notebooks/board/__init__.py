"""The board: a checkbox for each mechanism, and the result of a trial with the ticked ones, beside another run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kit.notebooks.board.flipping import Flips, flips
from kit.notebooks.board.result import Result, run_beside_clean
from kit.notebooks.frontend import attended
from kit.specimens.trial import Trial

if TYPE_CHECKING:
    from kit.notebooks.board.widgets import RunsTrials, WidgetBoard

__all__ = ["Board", "Flips", "Result"]


class Board:
    """The board of a notebook, initially set to `trial`; `session` runs its trials.

    As the value of a cell it is displayed as widgets. If no user is present, it runs its setting and displays the
    result.
    """

    def __init__(self, session: RunsTrials, trial: Trial | None = None) -> None:
        self.session = session
        self.trial = trial or Trial()
        self.widgets: WidgetBoard | None = None

    def run(self, trial: Trial | None = None) -> Result:
        """Run the given trial, by default the board's, and the clean project in the same way."""
        return run_beside_clean(trial or self.trial, self._each)

    def flips(self, result: Result) -> Flips:
        """Repeat the result's trial with each box flipped, one at a time, and return the results."""
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
