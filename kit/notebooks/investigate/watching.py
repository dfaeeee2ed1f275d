"""The interface through which the engine reports its progress."""

from __future__ import annotations

from typing import Any


class Watcher:
    """Receives the engine's events, in the engine's thread. The base class ignores them."""

    def kernel_started(self, pid: int, mark: str) -> None:
        """A kernel answers; `pid` and `mark` are the arguments of `processes.end`."""

    def kernel_ended(self) -> None:
        """The kernel and its processes have exited."""

    def cell_started(self, label: str, number: int, count: int) -> None:
        """Code cell `number` of `count` begins."""

    def cell_ended(self, cell: Any) -> None:
        """The outputs of the cell are complete."""

    def stopping(self) -> str:
        """Why the notebook must stop; "" while it may go on."""
        return ""
