"""Find and end every descendant of this process, whatever its session or process group.

On Linux an orphan is reparented to the nearest ancestor that has requested orphans, so that none escapes. Elsewhere
only process groups are known.

`kit.processes`, which ends what the kit itself has started, cannot be used: a stack's interpreter does not have the
kit, and the parent of trials must reap its children to report how each ended and how many were left behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
END_S, GRACE_S = 5.0, 0.2
_POLL_S = 0.001


def take_orphans() -> bool:
    """Become the reaper of this process's orphaned descendants; False if the system does not support it."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Let the system kill this process when its parent exits."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def be_first_to_go() -> None:
    """Let the system kill this process and its children before others when memory runs out."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def limits_of(pid: int | str) -> tuple[str, ...]:
    """What a process's children inherit: its resource limits and its umask."""
    with suppress(OSError), open(f"/proc/{pid}/limits") as limits, open(f"/proc/{pid}/status") as status:
        return (*limits, *(line for line in status if line.startswith("Umask")))
    return ()


def clear_environment() -> None:
    """Clear the C library's environment, which may contain variables that `os.environ` does not have."""
    with suppress(AttributeError):  # not every C library has it
        ctypes.CDLL(None).clearenv()


def threads() -> int | None:
    """The number of this process's threads, including those of C libraries; None if the system does not tell."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return None


def descendants() -> list[int]:
    """All descendants of this process, parents before their children; empty if the system does not tell."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found = list(children.get(os.getpid(), ()))
    for pid in found:  # the list grows during the loop
        found += children.get(pid, ())
    return found


def end_group(leader: int) -> None:
    """Kill the remaining processes of this leader's group."""
    with suppress(ProcessLookupError, PermissionError):  # PermissionError on macOS, for a group of zombies
        os.killpg(leader, signal.SIGKILL)


def wait_for_descendants(ended: Callable[[int, int], None]) -> None:
    """Give descendants a moment to exit by themselves, as helpers do after their main process."""
    deadline = time.monotonic() + GRACE_S
    while reap(ended) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def end_descendants(ended: Callable[[int, int], None]) -> int:
    """Kill all descendants and return how many there were; `ended(pid, status)` is called for each child.

    They are stopped first, parents before children, so that none can start another child in between.
    """
    killed: set[int] = set()
    deadline = time.monotonic() + END_S
    while reap(ended) and time.monotonic() < deadline:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            living = descendants()
            for pid in living:
                with suppress(ProcessLookupError):  # it has just exited
                    os.kill(pid, number)
            killed.update(living)
        if not killed:
            break  # there are children, but the system does not list them
        time.sleep(_POLL_S)
    return len(killed)


def reap(ended: Callable[[int, int], None]) -> bool:
    """Call `ended` for every child that has exited; return whether there are others."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        ended(pid, status)


def _parents() -> Iterator[tuple[int, int]]:
    """(process, parent) for each process of the system."""
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            with suppress(OSError):  # it has exited
                with open(f"/proc/{name}/stat", "rb") as file:
                    # The program's name is in parentheses and may contain any character.
                    yield int(name), int(file.read().rpartition(b")")[2].split()[1])


def _prctl(option: int, value: int) -> bool:
    try:
        return ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0  # type: ignore[no-any-return]
    except (AttributeError, OSError):
        return False
