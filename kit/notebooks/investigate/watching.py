"""How the engine tells others what it does, without knowing them."""

from __future__ import annotations

from typing import Any


class Watcher:
    """Is told what the engine does, in the thread in which it does it. This one pays no attention."""

    def kernel_started(self, pid: int, mark: str) -> None:
        """A kernel answers; `pid` and `mark` are what `processes.end` wants."""

    def kernel_ended(self) -> None:
        """The kernel and its processes are gone."""

    def cell_started(self, label: str, number: int, count: int) -> None:
        """Code cell `number` of `count` begins."""

    def cell_ended(self, cell: Any) -> None:
        """The cell has its outputs."""

    def stopping(self) -> str:
        """Why the notebook must not go on; empty as long as it may."""
        return ""
