"""Sets the exit status of a process when it is too late to return one: in a thread, or while the interpreter exits.

Everything else still runs at exit. The status is set by a finalizer that runs when the interpreter clears its own
modules, the last Python code of the process.
"""

from __future__ import annotations

from typing import Callable

from .own import os, sys
from .own import own_builtins as __builtins__  # noqa: F401

_NAME = "_kit_db_guard_status"


class _AtTheEnd:
    def __init__(self, status: int) -> None:
        self.status, self.pid = status, os.getpid()

    def __del__(self, _exit: Callable[[int], None] = os._exit, getpid: Callable[[], int] = os.getpid) -> None:
        if getpid() == self.pid:  # not in a forked child
            _exit(self.status)


def end_with(status: int) -> None:
    """Make this process exit with a status, whatever its own would be."""
    if not isinstance(vars(sys).get(_NAME), _AtTheEnd):
        vars(sys)[_NAME] = _AtTheEnd(status)
