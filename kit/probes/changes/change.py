"""One change of a run: what is asked for, and what it is put in with."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ..hooks import Hooks
from ..own import own_builtins as __builtins__  # noqa: F401
from ..recorder import Recorder


class Change:
    """A change that is being put in. `fields` are those of its object, `refused` says whether a connection was stopped.

    What is appended to `around` is called when the probes are in, and goes around them.
    """

    def __init__(
        self, fields: Dict[str, Any], number: int, hooks: Hooks, recorder: Recorder, refused: Callable[[], bool],
        around: List[Callable[[Hooks], None]],
    ) -> None:
        self.fields, self.hooks, self.refused, self.around = fields, hooks, refused, around
        self._number, self._recorder, self._made = number, recorder, False

    def took_hold(self) -> None:
        """Write down that the run is another one for it; once is enough."""
        if not self._made:
            self._made = True
            self._recorder.plain("change", op=self.fields["op"], number=self._number)
