"""Ending a command with everything that it started, whatever session or group that has put itself in.

What belongs to it is known by its group and session, by descent, and by the variable with the record's folder, which
every process inherits: an orphan has no parent to be found by. One that has put off all three gets away.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_END_S = 5.0  # how long what was killed may take to be gone
_LOOKS_S = 0.01


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    group: int
    session: int
    dead: bool  # its parent has not looked after it yet


def end_all(leader: int, mark: str) -> None:
    """Kill the process `leader`, and all that it started; `mark` is NAME=VALUE, in the environment of each."""
    found: set[int] = set()
    # All are stopped before any is killed, so that none can start another meanwhile, or lose its parent.
    while fresh := _belonging(leader, mark, found) - found:
        _send(signal.SIGSTOP, fresh)
        found |= fresh
    _send(signal.SIGKILL, found)
    with suppress(ProcessLookupError, PermissionError):  # the latter on macOS, for a group of zombies
        os.killpg(leader, signal.SIGKILL)
    deadline = time.monotonic() + _END_S
    while time.monotonic() < deadline and any(not one.dead for one in _table() if one.pid in found - {leader}):
        time.sleep(_LOOKS_S)


def runs(pid: int, mark: str) -> bool:
    """Whether a process with the mark still runs; one that hides its environment is taken to have it."""
    process = next((one for one in _table() if one.pid == pid), None)
    if process is None or process.dead:
        return False
    environment = _environment(pid)
    return not environment or mark.encode() in environment


def marked_pythons(mark: str) -> set[int]:
    """The Pythons that carry the mark, where the system tells which program a process runs."""
    return {pid for pid in _marked(mark, (one.pid for one in _table())) if _is_python(pid)}


def _is_python(pid: int) -> bool:
    with suppress(OSError):
        return os.path.basename(os.readlink(_PROC / str(pid) / "exe")).startswith(("python", "pypy"))
    return False


def _belonging(leader: int, mark: str, found: set[int]) -> set[int]:
    table = [one for one in _table() if one.pid != os.getpid()]
    known = {one.pid for one in table if one.pid in found or leader in (one.pid, one.group, one.session)}
    known |= _marked(mark, (one.pid for one in table))
    while fresh := {one.pid for one in table if one.parent in known} - known:
        known |= fresh
    return known & {one.pid for one in table if not one.dead}


def _marked(mark: str, pids: Iterable[int]) -> set[int]:
    if _PROC.is_dir():
        wanted = mark.encode()
        return {pid for pid in pids if wanted in _environment(pid)}
    # On macOS ps shows the environment of this user's own processes behind their commands.
    lines = _ps("-A", "-E", "-ww", "-o", "pid=,command=") if sys.platform == "darwin" else ()
    return {int(line.split(None, 1)[0]) for line in lines if mark in line.split()} & set(pids)


def _environment(pid: int) -> list[bytes]:
    """The variables of a process; empty where it may not be asked, has ended, or wrote something else there."""
    with suppress(OSError):
        return [part for part in (_PROC / str(pid) / "environ").read_bytes().split(b"\0") if b"=" in part]
    return []


def _table() -> Iterator[_Process]:
    """Every process of the system."""
    if _PROC.is_dir():
        for name in os.listdir(_PROC):
            if name.isdigit():
                with suppress(OSError):  # it has ended
                    # The name of the program stands in brackets, and may hold anything.
                    state, *numbers = (_PROC / name / "stat").read_bytes().rpartition(b")")[2].split()[:4]
                    parent, group, session = map(int, numbers)
                    yield _Process(int(name), parent, group, session, state in (b"Z", b"X"))
    else:
        for line in _ps("-A", "-o", "pid=,ppid=,pgid=,stat="):
            pid, above, together, letters = line.split(None, 3)
            yield _Process(int(pid), int(above), int(together), 0, letters.startswith("Z"))


def _ps(*arguments: str) -> list[str]:
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False).stdout.splitlines()


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
