"""The interface through which the engine reports its progress."""

from __future__ import annotations

from typing import Any

from kit.notebooks.cells import Claim


class Watcher:
    """Receives the engine's events, in the engine's thread. The base class ignores them."""

    def notebook_started(self, worker: str = "") -> None:
        """The notebook begins, or begins again; on another machine if `worker` names one."""

    def kernel_started(self, pid: int, mark: str) -> None:
        """A kernel answers; `pid` and `mark` are the arguments of `processes.end`."""

    def kernel_ended(self) -> None:
        """The kernel and its processes have exited."""

    def cell_started(self, label: str, number: int, count: int) -> None:
        """Code cell `number` of `count` begins."""

    def cell_ended(self, cell: Any) -> None:
        """The outputs of the cell are complete."""

    def claim_decided(self, claim: Claim) -> None:
        """A cell has decided a claim; reported by executors that have no cell."""

    def stopping(self) -> str:
        """Why the notebook must stop; "" while it may go on."""
        return ""
