"""Sets the exit status of a process when it is too late to return one: in a thread, or while the interpreter exits.

Everything else still runs at exit. The status is set by a finalizer that runs when the interpreter clears its own
modules, the last Python code of the process.

The interpreter's `sys` itself keeps the finalizer, for it is always cleared. What any other module keeps may never be
finalized: an extension module (psycopg's, for instance) that holds on to one object keeps alive all that it leads to.
"""

from __future__ import annotations

import sys
from typing import Callable

from .own import os
from .own import own_builtins as __builtins__  # noqa: F401

_NAME = "_kit_db_guard_status"
_KEPT_TO_THE_END = vars(sys)


class _AtTheEnd:
    def __init__(self, status: int) -> None:
        self.status, self.pid = status, os.getpid()

    def __del__(self, _exit: Callable[[int], None] = os._exit, getpid: Callable[[], int] = os.getpid) -> None:
        if getpid() == self.pid:  # not in a forked child
            _exit(self.status)


def end_with(status: int) -> None:
    """Make this process exit with a status, whatever its own would be."""
    if not isinstance(_KEPT_TO_THE_END.get(_NAME), _AtTheEnd):
        _KEPT_TO_THE_END[_NAME] = _AtTheEnd(status)
