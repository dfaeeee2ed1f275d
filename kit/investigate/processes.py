"""Ending a kernel with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

MARK = "KIT_KERNEL"
"""The variable that every process started from a kernel inherits. Each kernel has a value of its own."""
END_S = 10.0
"""How long what was killed may take to be gone."""
LOOKS_S = 0.02
"""How often those that were killed are looked at."""


def end(pid: int, mark: str) -> None:
    """Kill the process `pid`, its group, its descendants, and what else carries `mark`; what is gone is no error."""
    # It is stopped first: one that runs on could start others while they are being killed.
    _send(signal.SIGSTOP, {pid})
    end_others(pid, mark)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    _send(signal.SIGKILL, {pid})


def end_others(pid: int, mark: str) -> None:
    """Kill the descendants of `pid` and what else carries `mark`, but not `pid` itself."""
    found: set[int] = set()
    # All are stopped before any is killed, because an orphan has no parent to be found by.
    while fresh := {*descendants(pid), *marked(mark)} - found - {pid}:
        _send(signal.SIGSTOP, fresh)
        found |= fresh
    _send(signal.SIGKILL, found)
    _wait_for_the_end_of(found)


def _wait_for_the_end_of(pids: set[int]) -> None:
    # A signal is only asked for: what is killed may live on for a moment on a busy machine.
    import psutil

    deadline = time.monotonic() + END_S
    while (living := list(_living(pids))) and time.monotonic() < deadline:
        psutil.wait_procs(living, timeout=LOOKS_S)


def _living(pids: set[int]) -> Iterator[psutil.Process]:
    """Yield those that live. A zombie does not; it stays for as long as its parent, which may be stopped, leaves it."""
    import psutil

    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process


def _send(number: signal.Signals, pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def descendants(pid: int) -> Iterator[int]:
    """Yield the ids of the living descendants of `pid`, also of those in sessions of their own."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            yield child.pid


def marked(mark: str) -> Iterator[int]:
    """Yield the ids of living processes that carry `mark`, also of those whose parent has died."""
    import psutil

    for process in psutil.process_iter():
        # A process that belongs to somebody else, or that has just ended, cannot be asked and is not ours.
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                yield process.pid


def command_line(pid: int) -> str | None:
    """Return the command line of a living process; None when it has ended or may not be asked."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return " ".join(process.cmdline()) or process.name()
    return None
