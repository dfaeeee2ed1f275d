"""End a process with all its descendants, whatever their session or process group.

The order is always the same. If the caller names a signal, all these processes get it and have time to exit. Those that
remain are stopped, so that they cannot start more, and then killed. All have exited when the call returns.

Processes belong together by group and session, by descent, and by a mark: a variable with a unique value, which every
process inherits. An orphan cannot be found by descent. A process that has left all three escapes.

This uses the standard library, not psutil: `kit trace` runs where no extra is installed, and this file is also a
program that runs alone (`python -I -S`), the watcher of a command: it waits until the process that started it exits,
and ends the command if that process was killed. Two parts of the kit end processes with their own code, because they
run in an interpreter without the kit: `kit/pair/supervisor.py`, which ends servers that are its own children, and
`kit/trials/worker/processes.py`, which adopts orphaned descendants and finds the remaining ones by `waitpid`.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

ASK_S = 10.0
"""How long processes may take to end after they were asked."""
END_S = 10.0
"""How long killed processes may take to be gone."""
ENDING = (signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a process to end, besides Ctrl-C."""
_PROC = Path("/proc")
_LOOKS_S = 0.01  # the polling interval where the system does not notify a waiter

Handler = Callable[[int, FrameType | None], Any] | signal.Handlers


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    group: int
    session: int
    dead: bool  # it has exited, and its parent has not waited for it yet


# --- ending --------------------------------------------------------------------------------------------------------


def end(leader: int, mark: str = "", *, ask: signal.Signals | None = None, within_s: float = ASK_S) -> None:
    """End the process `leader`, which may have exited already, with all that belongs to it.

    `mark` is NAME=VALUE, in the environment of each. With a leader of 0 only the mark counts. With `ask`, all get this
    signal first and have `within_s` seconds to exit.
    """
    if ask is not None:
        _send(ask, processes_of(leader, mark))
        deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0 and (living := processes_of(leader, mark)):
            wait_for(living, left)
    _kill(leader, mark)
    if leader:  # a leader of 0 is no group
        end_group(leader)


def end_others(mark: str = "") -> None:
    """Kill all that belongs to this process, but not this process itself."""
    _kill(os.getpid(), mark)


def end_group(leader: int) -> None:
    """Kill the remaining processes of a group, and no others."""
    with suppress(ProcessLookupError, PermissionError):  # the latter on macOS, for a group of zombies
        os.killpg(leader, signal.SIGKILL)


def run(command: Sequence[str], *, timeout_s: float, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command as `subprocess.run` does and capture its output; `options` are those of Popen.

    When the timeout expires or this process is interrupted, all its descendants are ended with it: a surviving child
    would hold the output open, so that reading it would wait for the child. Raises subprocess.TimeoutExpired.
    """
    given = options.pop("input", None)
    if given is not None:
        options["stdin"] = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options
    ) as process:
        try:
            output, errors = process.communicate(given, timeout_s)
        except BaseException:
            end(process.pid)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def _kill(leader: int, mark: str) -> None:
    found: set[int] = set()
    # All are stopped before any is killed, so that none can start another in between, or lose its parent.
    while fresh := processes_of(leader, mark, found) - found:
        _send(signal.SIGSTOP, fresh)
        found |= fresh
    _send(signal.SIGKILL, found)
    wait_for(found, END_S)


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


# --- signals -------------------------------------------------------------------------------------------------------


@contextmanager
def signal_handlers(
    handlers: Mapping[signal.Signals, Handler], *, even_ignored: Collection[int] = ()
) -> Iterator[None]:
    """Set these signal handlers for the block, then restore the previous ones.

    A signal that is ignored (nohup) stays ignored, unless it is in `even_ignored`. A handler that was not set from
    Python stays, because it could not be restored. Outside the main thread nothing changes: Python lets only the main
    thread set handlers, and runs them there. Programs that run without the kit (`kit/pair/supervisor.py`,
    `kit/trials/worker`) set their handlers themselves, permanently.
    """
    before: dict[signal.Signals, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                present = signal.getsignal(number)
                if present is not None and (present is not signal.SIG_IGN or number in even_ignored):
                    before[number] = present
                    signal.signal(number, handler)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def unless_handled(handler: Handler) -> dict[signal.Signals, Handler]:
    """This handler for each signal that asks to end, where the program has none of its own, which stays."""
    return {number: handler for number in ENDING if signal.getsignal(number) is signal.SIG_DFL}


def exit_by_signal(number: int, frame: FrameType | None) -> NoReturn:
    """A handler: raise SystemExit with the exit code of a shell, so that cleanup code runs."""
    raise SystemExit(128 + number)


# --- waiting -------------------------------------------------------------------------------------------------------


def wait_for(pids: Iterable[int], limit_s: float) -> bool:
    """Wait at most `limit_s` seconds until these processes have exited; return whether they have.

    They need not be children. A zombie counts as exited: it remains until its parent, which may be stopped, waits for
    it.
    """
    deadline = time.monotonic() + limit_s
    return all([_ends(pid, deadline) for pid in pids])


def wait_for_group(leader: int, limit_s: float) -> None:
    """Give the processes of a group time to exit by themselves, as helpers do when their main process has exited."""
    deadline = time.monotonic() + limit_s
    while (left := deadline - time.monotonic()) > 0 and (members := _group(leader)):
        wait_for(members, left)


def _ends(pid: int, deadline: float) -> bool:
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        except OSError:  # no pidfd in this kernel, or no descriptor left: poll
            return _seen_to_end(pid, deadline)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
        finally:
            os.close(descriptor)
    return _seen_to_end(pid, deadline)


def _seen_to_end(pid: int, deadline: float) -> bool:
    while (process := _process(pid)) is not None and not process.dead:
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOKS_S)
    return True


def _group(leader: int) -> set[int]:
    try:
        os.killpg(leader, 0)
    except (ProcessLookupError, PermissionError):
        return set()
    return {one.pid for one in _table() if one.group == leader and not one.dead}


# --- which ---------------------------------------------------------------------------------------------------------


def processes_of(leader: int, mark: str = "", found: Iterable[int] = ()) -> set[int]:
    """The living processes that belong to `leader`, including it, or to `found`; never this process."""
    table = [one for one in _table() if one.pid != os.getpid()]
    roots = {leader, *found} - {0}
    known = {one.pid for one in table if one.pid in roots or (leader and leader in (one.group, one.session))}
    known |= {one.pid for one in table if one.parent in roots}
    known |= _marked(mark, (one.pid for one in table))
    while fresh := {one.pid for one in table if one.parent in known} - known:
        known |= fresh
    return known & {one.pid for one in table if not one.dead}


def runs(pid: int, mark: str = "") -> bool:
    """Whether a process runs, with the mark if one is given. One whose environment is unreadable counts as marked."""
    process = _process(pid)
    if process is None or process.dead:
        return False
    environment = _environment(pid) if mark else []
    return not environment or mark.encode() in environment


def marked_pythons(mark: str) -> set[int]:
    """The Python processes that carry the mark, on systems that show the program of a process (/proc)."""
    return {pid for pid in _marked(mark, (one.pid for one in _table())) if _is_python(pid)}


def arguments(pid: int) -> bytes:
    """The command line of a process with a blank after each word; empty when the process is unknown or has exited."""
    if _PROC.is_dir():  # small containers have no ps
        with suppress(OSError):
            return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ")
        return b""
    return "".join(f"{line.strip()} " for line in _ps("-ww", "-o", "args=", "-p", str(pid))).encode()


def _is_python(pid: int) -> bool:
    with suppress(OSError):
        return os.path.basename(os.readlink(_PROC / str(pid) / "exe")).startswith(("python", "pypy"))
    return False


def _marked(mark: str, pids: Iterable[int]) -> set[int]:
    if not mark:
        return set()
    if _PROC.is_dir():
        wanted = mark.encode()
        return {pid for pid in pids if wanted in _environment(pid)}
    # On macOS, ps shows the environment of this user's own processes after their commands.
    lines = _ps("-A", "-E", "-ww", "-o", "pid=,command=") if sys.platform == "darwin" else ()
    return {int(line.split(None, 1)[0]) for line in lines if mark in line.split()} & set(pids)


def _environment(pid: int) -> list[bytes]:
    """The variables of a process; empty when they are unreadable or overwritten, or the process has exited."""
    with suppress(OSError):
        return [part for part in (_PROC / str(pid) / "environ").read_bytes().split(b"\0") if b"=" in part]
    return []


def _table() -> Iterator[_Process]:
    """All processes of the system."""
    if _PROC.is_dir():
        found = (_process(int(name)) for name in os.listdir(_PROC) if name.isdigit())
        yield from (one for one in found if one is not None)
    else:
        yield from map(_parse_ps_line, _ps("-A", "-o", _COLUMNS))


def _process(pid: int) -> _Process | None:
    """A process, or None when it has exited."""
    if not _PROC.is_dir():
        return next(map(_parse_ps_line, _ps("-o", _COLUMNS, "-p", str(pid))), None)
    with suppress(OSError):
        # The program's name is in parentheses and may contain any character.
        state, *numbers = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[:4]
        parent, group, session = map(int, numbers)
        return _Process(pid, parent, group, session, state in (b"Z", b"X"))
    return None


_COLUMNS = "pid=,ppid=,pgid=,stat="


def _parse_ps_line(line: str) -> _Process:
    """A process from a line of ps, which shows no sessions."""
    pid, above, together, letters = line.split(None, 3)
    return _Process(int(pid), int(above), int(together), 0, letters.startswith("Z"))


def _ps(*words: str) -> list[str]:
    return subprocess.run(["ps", *words], capture_output=True, text=True, check=False).stdout.splitlines()


# --- the watcher ---------------------------------------------------------------------------------------------------


class Watcher:
    """A process that ends a command when this one is killed, and exits at the end of the block.

    It is started before the command; `follow` passes it the command's process number.
    """

    def __init__(self, mark: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, mark], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd="/", start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> Watcher:
        return self

    def follow(self, leader: int) -> None:
        """Pass the process number of the command to the watcher."""
        self._send_line(f"{leader}\n")

    def __exit__(self, *error: object) -> None:
        self._send_line("done\n")
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._process.wait()

    def _send_line(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # the watcher was killed: the command goes on without it
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


def _watch(mark: str) -> None:
    """Wait until the starter has exited, and end its command unless the starter reported that it is done."""
    lines = sys.stdin.read().split()
    if "done" not in lines:
        end(int(lines[0]) if lines else 0, mark, ask=signal.SIGTERM)


if __name__ == "__main__":
    _watch(sys.argv[1])
