"""Every process that descends from this one, and its end, whatever session or group it has put itself in.

On Linux a process whose parent has died is handed to the nearest ancestor that has asked for orphans, so that none
escapes. Elsewhere only process groups are known.

`kit.processes`, which ends what the kit itself has started, cannot do this: a stack's interpreter has nothing of the
kit, and the parent of trials must reap what it ends, to tell how each child ended and how many were left behind.
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
    """Ask the system for the orphans among this process's descendants; False where it cannot."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Ask the system to kill this process when its parent ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def be_first_to_go() -> None:
    """Ask the system to end this process, and what it starts, before others when memory runs out."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def limits_of(pid: int | str) -> tuple[str, ...]:
    """What a process passes on to those that it starts: its resource limits, and its mask for new files."""
    with suppress(OSError), open(f"/proc/{pid}/limits") as limits, open(f"/proc/{pid}/status") as status:
        return (*limits, *(line for line in status if line.startswith("Umask")))
    return ()


def clear_environment() -> None:
    """Empty the C library's environment, where a variable may stand that `os.environ` does not know of."""
    with suppress(AttributeError):  # not every C library has it
        ctypes.CDLL(None).clearenv()


def threads() -> int | None:
    """How many threads this process has, those of libraries in C included; None where the system does not tell."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return None


def descendants() -> list[int]:
    """Every process below this one, parents before their children; empty where the system does not tell."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found = list(children.get(os.getpid(), ()))
    for pid in found:  # which grows meanwhile
        found += children.get(pid, ())
    return found


def end_group(leader: int) -> None:
    """Kill the process group of this leader, if there is any of it left."""
    with suppress(ProcessLookupError, PermissionError):  # the latter on macOS, for a group of zombies
        os.killpg(leader, signal.SIGKILL)


def wait_for_descendants(ended: Callable[[int, int], None]) -> None:
    """Give what is below this process a moment to end by itself, as helpers do whose main process has gone."""
    deadline = time.monotonic() + GRACE_S
    while reap(ended) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def end_descendants(ended: Callable[[int, int], None]) -> int:
    """Kill everything below this process and return how many there were; `ended(pid, status)` is called for each child.

    They are stopped first, parents before children, so that none can have another child meanwhile.
    """
    killed: set[int] = set()
    deadline = time.monotonic() + END_S
    while reap(ended) and time.monotonic() < deadline:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            living = descendants()
            for pid in living:
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(pid, number)
            killed.update(living)
        if not killed:
            break  # children there are, but the system does not say which
        time.sleep(_POLL_S)
    return len(killed)


def reap(ended: Callable[[int, int], None]) -> bool:
    """Tell of every child that has ended; return whether there are others."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        ended(pid, status)


def _parents() -> Iterator[tuple[int, int]]:
    """Each process of the system and its parent."""
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            with suppress(OSError):  # it has ended
                with open(f"/proc/{name}/stat", "rb") as file:
                    # The name of the program stands in brackets, and may hold anything.
                    yield int(name), int(file.read().rpartition(b")")[2].split()[1])


def _prctl(option: int, value: int) -> bool:
    try:
        return ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0  # type: ignore[no-any-return]
    except (AttributeError, OSError):
        return False
