"""Reports to `kit diagnose` which databases are reached and which files written, so that they can be restored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..own import own_builtins as __builtins__  # noqa: F401
from .base import File, Intervention, Rerun


@dataclass(frozen=True)
class ReportDatabases(Intervention):
    """Report each database to the socket before the program's first statement there.

    And each file in the folder before the program first writes to it.
    """

    op = "tell"
    socket: File
    folder: File
    seal_key: str = field(repr=False)

    @property
    def label(self) -> str:
        return "with the changes of earlier runs to databases and files undone"

    def apply(self, rerun: Rerun) -> None:
        from ..outside import DiagnoseProcess, Telling, Touching

        holder = DiagnoseProcess(self.socket, self.seal_key)

        def listen(databases: Any) -> None:
            databases.listen(Telling(holder))
            Touching(holder, self.folder).install(rerun.hooks)
            rerun.record_effect()

        rerun.listening.append(listen)
