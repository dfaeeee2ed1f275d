"""The parent of trials: accepts a command, forks or starts it, and ends everything that it leaves behind.

One command runs at a time. The kit connects through a socket; while the command runs, its scripts' stand-ins for Python
use the same socket. When a client disconnects, the processes that were started for it are killed.
"""

from __future__ import annotations

import gc
import json
import os
import select
import shlex
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from . import ADDRESS, SETTINGS, TEMPORARY, child, freshness, libraries, processes, wire

STAND_IN = "python"
_ASKING_S = 5.0  # seconds that a client may take for its request
_SHEBANG_AT_MOST = 120  # characters of a #! line that every system reads

Task = Callable[[], None]


@dataclass
class Run:
    """The running command: its client, its process, and the forks that its scripts requested.

    With `keep`, processes that it leaves behind go on when it ends by itself. One that `watches` ends itself, and what
    it started, when the kit has exited.
    """

    asked: socket.socket
    leader: int
    forked: bool
    why_not: str | None
    keep: bool = False
    watches: bool = False
    forks: dict[int, socket.socket] = field(default_factory=dict)
    status: int | None = None


class Parent:
    """Serves commands until the kit disconnects. `why_not` is why none is forked; None if forks are fresh."""

    def __init__(self, folder: Path, python: str, base: child.Base, why_not: str | None) -> None:
        self.folder, self.python, self.base, self.why_not = folder, python, base, why_not
        self.versions = freshness.versions()
        self.run: Run | None = None
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.wake, self.waking = socket.socketpair()

    def open(self) -> None:
        """Start to accept connections."""
        self.listener.bind(str(self.folder / ADDRESS))
        self.listener.listen(64)
        self.wake.setblocking(False)
        self.waking.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.waking.fileno(), warn_on_full_buffer=False)

    def serve(self) -> Task | None:
        """Serve until the kit closes this process's standard input; in a fork, return its task at once."""
        while True:
            for file in self._ready():
                if file == 0:
                    self._let_it_end_itself()
                    self._end_run()
                    return None
                task = self._take(file)
                if task is not None:
                    return task

    def _ready(self) -> list[int]:
        waiting = [0, *(ours.fileno() for ours in (self.listener, self.wake, *self._request_sockets()))]
        return select.select(waiting, (), ())[0]

    def _take(self, file: int) -> Task | None:
        if file == self.listener.fileno():
            return self._accept_task()
        if file == self.wake.fileno():
            with suppress(BlockingIOError):
                self.wake.recv(4096)
            processes.reap(self._ended)
            if self.run is not None and self.run.status is not None:
                self._end_run()
        # The client requests the end, or has disconnected.
        elif self.run is not None and file == self.run.asked.fileno():
            self._end_run()
        elif self.run is not None:
            for pid, asked in list(self.run.forks.items()):
                if asked.fileno() == file:
                    processes.end_group(pid)
        return None

    def _accept_task(self) -> Task | None:
        connection, _ = self.listener.accept()
        connection.settimeout(_ASKING_S)
        try:
            message, files = wire.receive(connection)
        except (EOFError, OSError, ValueError):
            connection.close()
            return None
        try:
            return self._serve_one(connection, message, files)
        except OSError:  # no more processes can be started; the client notices the missing answer
            connection.close()
            return None
        finally:
            for number in files:
                with suppress(OSError):  # a fork has closed it already
                    os.close(number)

    def _serve_one(self, connection: socket.socket, message: dict[str, Any], files: list[int]) -> Task | None:
        if message["do"] == "stop":
            self._end_run()
            connection.close()
            return None
        command = child.Command(
            message["arguments"], message["folder"], dict(message["environ"]), files, message.get("numbers", (0, 1, 2))
        )
        if message["do"] == "run" and self.run is None:
            return self._run(connection, command)
        if message["do"] == "kernel" and self.run is None:
            return self._run_kernel(connection, command, bool(message["watches"]))
        if message["do"] == "python" and self.run is not None:
            return self._fork_within(self.run, connection, command)
        connection.close()
        return None

    def _run(self, connection: socket.socket, command: child.Command) -> Task | None:
        direct = command.arguments[0] == self.python
        why_not = self._why_not(command if direct else None)
        forked = direct and why_not is None
        if not direct and why_not is None:  # a script, which will use the stand-in
            command.environ["PYTHON"] = str(self.folder / STAND_IN)  # type: ignore[index]
        pid = self._fork(command, connection)
        if pid == 0:
            return partial(child.run_fresh, command, self.base) if forked else partial(child.execute, command)
        self.run = Run(connection, pid, forked, why_not)
        return None

    def _run_kernel(self, connection: socket.socket, command: child.Command, watches: bool) -> Task | None:
        """Fork a kernel, or say why not; its client learns the process number, and may kill it."""
        why_not = self._why_not(command) or freshness.outdated(self.versions)
        if why_not is not None:
            wire.send(connection, {"pid": None, "why_not": why_not})
            connection.close()
            return None
        pid = self._fork(command, connection)
        if pid == 0:
            return partial(child.run_fresh, command, self.base)
        self.run = Run(connection, pid, forked=True, why_not=None, keep=not watches, watches=watches)
        wire.send(connection, {"pid": pid, "why_not": None})
        return None

    def _fork_within(self, run: Run, connection: socket.socket, command: child.Command) -> Task | None:
        why_not = self._why_not(command) or _other_limits(connection)
        if why_not is not None:
            run.why_not = why_not
            connection.sendall(b"!")
            connection.close()
            return None
        pid = self._fork(command, connection)
        if pid == 0:
            return partial(child.run_fresh, command, self.base)
        run.forks[pid] = connection
        run.forked = True
        return None

    def _why_not(self, command: child.Command | None) -> str | None:
        """Why this command is not forked; a script (None) itself never is, but the Python that it starts may be."""
        if self.why_not is not None:
            return self.why_not
        found = freshness.quick_objections()
        if found:
            return "; ".join(found)
        return child.unfit(command) if command is not None else None

    def _fork(self, command: child.Command, asked: socket.socket) -> int:
        pid = os.fork()
        if pid == 0:
            for ours in (self.listener, self.wake, self.waking, asked, *self._request_sockets()):
                ours.detach()  # otherwise its destructor would close whatever has this descriptor by then
            try:
                child.take_place(command)
            except OSError as error:  # a fork must not go on as a second parent
                os.write(2, f"{command.folder}: {error.strerror}\n".encode())
                os._exit(127)
        return pid

    def _request_sockets(self) -> list[socket.socket]:
        return [self.run.asked, *self.run.forks.values()] if self.run is not None else []

    def _ended(self, pid: int, status: int) -> None:
        run = self.run
        if run is None:
            return
        if pid == run.leader:
            run.status = status
        elif pid in run.forks:
            asked = run.forks.pop(pid)
            with suppress(OSError):  # the stand-in was killed in the meantime
                asked.sendall(b"=%d" % os.waitstatus_to_exitcode(status))
            asked.close()

    def _let_it_end_itself(self) -> None:
        """Give a command that watches the kit the time to remove its files and end its processes."""
        deadline = time.monotonic() + processes.END_S
        while (run := self.run) is not None and run.watches and run.status is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select((self.wake,), (), (), left_s)[0]:
                return
            self._take(self.wake.fileno())

    def _end_run(self) -> None:
        """End the remaining processes of the command, and send its result to the client."""
        run = self.run
        if run is None:
            return
        ended_by_itself = run.status is not None
        for pid in (*([] if ended_by_itself else [run.leader]), *run.forks):
            processes.end_group(pid)
        if ended_by_itself:
            processes.wait_for_descendants(self._ended)
        keep = ended_by_itself and run.keep
        left = len(processes.descendants()) if keep else processes.end_descendants(self._ended)
        if not ended_by_itself:
            left = 0  # all of it was killed, so nothing was left behind
        self.run = None
        for asked in run.forks.values():
            asked.close()
        code = os.waitstatus_to_exitcode(run.status) if ended_by_itself and run.status is not None else None
        with suppress(OSError):  # the kit has disconnected
            wire.send(run.asked, {"exit_code": code, "left": left, "forked": run.forked, "why_not": run.why_not})
        run.asked.close()


class StarterExited(Exception):
    """The kit exited before this parent was ready."""


def main(folder: str) -> Task | None:
    """Run the parent with the settings in `folder`; in a fork, return its task."""
    place, own = Path(folder), os.getpid()
    try:
        return _serve(place)
    except (StarterExited, BrokenPipeError):
        return None
    finally:
        if os.getpid() == own:  # the kit has exited, perhaps without cleaning up
            shutil.rmtree(place, ignore_errors=True)


def _serve(place: Path) -> Task | None:
    settings = json.loads((place / SETTINGS).read_text())
    path = sys.path[1:]  # without the folder of this program
    sys.path[:] = path
    processes.take_orphans()
    drivers = tuple((module, name) for module, name in settings["drivers"])
    expected = freshness.Expected(str(place / TEMPORARY), drivers)
    if settings["warm"]:
        libraries.import_libraries(settings["also"], _check_starter)
        libraries.load_probes()
        why_not = "; ".join(freshness.objections(expected)) or None
    else:
        why_not = "a new interpreter was requested"
    parent = Parent(place, settings["python"], child.Base(path, freshness.other_generators()), why_not)
    _write_stand_in(place, settings["python"])
    gc.collect()
    gc.freeze()  # a garbage collection in a child would write to, and so copy, every object of the parent
    parent.open()
    print(json.dumps({"why_not": why_not}), flush=True)
    return parent.serve()


def _check_starter() -> None:
    """Raise StarterGone when the kit has exited: it writes nothing here, so readable means end of file."""
    if select.select((0,), (), (), 0)[0]:
        raise StarterExited


def _other_limits(connection: socket.socket) -> str | None:
    """The objection to a fork if a script changed its processes' limits, which the fork would not inherit."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    pid = int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)
    same = processes.limits_of(pid) == processes.limits_of("self")
    return None if same else "its script has changed the limits of its processes"


def _write_stand_in(folder: Path, python: str) -> None:
    """Write the program to which PYTHON points for scripts."""
    program = Path(__file__).with_name("stand_in.py")
    stand_in = folder / STAND_IN
    if len(python) <= _SHEBANG_AT_MOST and not any(character.isspace() for character in python):
        stand_in.write_text(f"#!{python} -IS\n{program.read_text()}")
    else:  # this costs another program, and may change the order of variables
        stand_in.with_suffix(".py").write_text(program.read_text())
        line = shlex.join([python, "-I", "-S", str(stand_in.with_suffix(".py"))])
        stand_in.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
    stand_in.chmod(0o700)
