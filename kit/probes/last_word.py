"""The status with which a process ends, set when it is too late to return one: in a thread, or as the interpreter ends.

All that the program has for its end is still done. When the interpreter takes down its own modules, as the last thing
that it does in Python, the process is ended with this status.
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
        if getpid() == self.pid:  # not in a child, which took it along
            _exit(self.status)


def end_with(status: int) -> None:
    """Have this process end with a status, whatever it would have ended with."""
    if not isinstance(vars(sys).get(_NAME), _AtTheEnd):
        vars(sys)[_NAME] = _AtTheEnd(status)
