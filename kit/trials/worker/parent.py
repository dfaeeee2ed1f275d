"""The parent of trials: takes a command, forks or starts it, and ends everything that it leaves behind.

One command runs at a time. The kit asks over a socket; while the command runs, its scripts' stand-ins for Python ask
over the same. When the one who asked goes away, what was started for it is killed.
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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from . import ADDRESS, SETTINGS, TEMPORARY, child, freshness, libraries, processes, wire

STAND_IN = "python"
_ASKING_S = 5.0  # how long one who has connected may take to say what it wants
_SHEBANG_AT_MOST = 120  # characters that every system reads

Task = Callable[[], None]


@dataclass
class Run:
    """The command under way: who asked for it, its process, and the forks that its scripts asked for."""

    asked: socket.socket
    leader: int
    forked: bool
    why_not: str | None
    forks: dict[int, socket.socket] = field(default_factory=dict)
    status: int | None = None


class Parent:
    """Serves commands until the kit goes away. `why_not` says why none is forked; None where forks are fresh."""

    def __init__(self, folder: Path, python: str, base: child.Base, why_not: str | None) -> None:
        self.folder, self.python, self.base, self.why_not = folder, python, base, why_not
        self.run: Run | None = None
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.wake, self.waking = socket.socketpair()

    def open(self) -> None:
        """Take callers from now on."""
        self.listener.bind(str(self.folder / ADDRESS))
        self.listener.listen(64)
        self.wake.setblocking(False)
        self.waking.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.waking.fileno(), warn_on_full_buffer=False)

    def serve(self) -> Task | None:
        """Serve until the kit closes this process's input; in a fork, return at once with what it is to do."""
        while True:
            for file in self._ready():
                if file == 0:
                    self._end_run()
                    return None
                task = self._take(file)
                if task is not None:
                    return task

    def _ready(self) -> list[int]:
        waiting = [0, *(ours.fileno() for ours in (self.listener, self.wake, *self._askers()))]
        return select.select(waiting, (), ())[0]

    def _take(self, file: int) -> Task | None:
        if file == self.listener.fileno():
            return self._asked()
        if file == self.wake.fileno():
            with suppress(BlockingIOError):
                self.wake.recv(4096)
            processes.reap(self._ended)
            if self.run is not None and self.run.status is not None:
                self._end_run()
        elif self.run is not None and file == self.run.asked.fileno():  # it wants the end, or has gone
            self._end_run()
        elif self.run is not None:
            for pid, asked in list(self.run.forks.items()):
                if asked.fileno() == file:
                    processes.end_group(pid)
        return None

    def _asked(self) -> Task | None:
        connection, _ = self.listener.accept()
        connection.settimeout(_ASKING_S)
        try:
            message, files = wire.receive(connection)
        except (EOFError, OSError, ValueError):
            connection.close()
            return None
        try:
            return self._serve_one(connection, message, files)
        except OSError:  # there can be no more processes; who asked sees that there is no answer
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
            message["arguments"], message["folder"], dict(message["environ"]), (files[0], files[1], files[2])
        )
        if message["do"] == "run" and self.run is None:
            return self._run(connection, command)
        if message["do"] == "python" and self.run is not None:
            return self._fork_within(self.run, connection, command)
        connection.close()
        return None

    def _run(self, connection: socket.socket, command: child.Command) -> Task | None:
        direct = command.arguments[0] == self.python
        why_not = self._why_not(command if direct else None)
        forked = direct and why_not is None
        if not direct and why_not is None:  # a script, which will find the stand-in
            command.environ["PYTHON"] = str(self.folder / STAND_IN)  # type: ignore[index]
        pid = self._fork(command, connection)
        if pid == 0:
            return partial(child.run_fresh, command, self.base) if forked else partial(child.execute, command)
        self.run = Run(connection, pid, forked, why_not)
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
        """Say why this command is not forked; a script (None) is not itself, what it starts may be."""
        if self.why_not is not None:
            return self.why_not
        found = freshness.quick_objections()
        if found:
            return "; ".join(found)
        return child.unfit(command) if command is not None else None

    def _fork(self, command: child.Command, asked: socket.socket) -> int:
        pid = os.fork()
        if pid == 0:
            for ours in (self.listener, self.wake, self.waking, asked, *self._askers()):
                ours.detach()  # else its end would close whatever has its number by then
            try:
                child.take_place(command)
            except OSError as error:  # a fork must not go on as a second parent
                os.write(2, f"{command.folder}: {error.strerror}\n".encode())
                os._exit(127)
        return pid

    def _askers(self) -> list[socket.socket]:
        return [self.run.asked, *self.run.forks.values()] if self.run is not None else []

    def _ended(self, pid: int, status: int) -> None:
        run = self.run
        if run is None:
            return
        if pid == run.leader:
            run.status = status
        elif pid in run.forks:
            asked = run.forks.pop(pid)
            with suppress(OSError):  # the stand-in was killed meanwhile
                asked.sendall(b"=%d" % os.waitstatus_to_exitcode(status))
            asked.close()

    def _end_run(self) -> None:
        """End what is left of the command, and tell the one who asked for it how it went."""
        run = self.run
        if run is None:
            return
        ended_by_itself = run.status is not None
        for pid in (*([] if ended_by_itself else [run.leader]), *run.forks):
            processes.end_group(pid)
        if ended_by_itself:
            processes.wait_for_descendants(self._ended)
        left = processes.end_descendants(self._ended)
        if not ended_by_itself:
            left = 0  # all of it was killed, so nothing of it was left behind
        self.run = None
        for asked in run.forks.values():
            asked.close()
        code = os.waitstatus_to_exitcode(run.status) if ended_by_itself and run.status is not None else None
        with suppress(OSError):  # the kit has gone
            wire.send(run.asked, {"exit_code": code, "left": left, "forked": run.forked, "why_not": run.why_not})
        run.asked.close()


class StarterGone(Exception):
    """The kit ended before this parent was ready."""


def main(folder: str) -> Task | None:
    """Be the parent whose settings are in `folder`; return in a fork, with what it is to do."""
    place, own = Path(folder), os.getpid()
    try:
        return _serve(place)
    except (StarterGone, BrokenPipeError):
        return None
    finally:
        if os.getpid() == own:  # the kit has gone, perhaps without a chance to clear up
            shutil.rmtree(place, ignore_errors=True)


def _serve(place: Path) -> Task | None:
    settings = json.loads((place / SETTINGS).read_text())
    path = sys.path[1:]  # without the folder of this program
    sys.path[:] = path
    processes.take_orphans()
    drivers = tuple((module, name) for module, name in settings["drivers"])
    expected = freshness.Expected(str(place / TEMPORARY), drivers)
    if settings["warm"]:
        libraries.import_libraries(settings["also"], _go_on_for_the_starter)
        libraries.load_probes()
        why_not = "; ".join(freshness.objections(expected)) or None
    else:
        why_not = "a new interpreter was requested"
    parent = Parent(place, settings["python"], child.Base(path, freshness.other_generators()), why_not)
    _write_stand_in(place, settings["python"])
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and so copy, every object of the parent
    parent.open()
    print(json.dumps({"why_not": why_not}), flush=True)
    return parent.serve()


def _go_on_for_the_starter() -> None:
    """Raise StarterGone when the kit has ended: it writes nothing here, so there is only an end to read."""
    if select.select((0,), (), (), 0)[0]:
        raise StarterGone


def _other_limits(connection: socket.socket) -> str | None:
    """Say when a script has changed what its processes may do: a fork has that from its parent, not from the script."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    pid = int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)
    same = processes.limits_of(pid) == processes.limits_of("self")
    return None if same else "its script has changed the limits of its processes"


def _write_stand_in(folder: Path, python: str) -> None:
    """Write the program that scripts find under PYTHON."""
    program = Path(__file__).with_name("stand_in.py")
    stand_in = folder / STAND_IN
    if len(python) <= _SHEBANG_AT_MOST and not any(character.isspace() for character in python):
        stand_in.write_text(f"#!{python} -IS\n{program.read_text()}")
    else:  # which costs another program, and may change the order of the variables
        stand_in.with_suffix(".py").write_text(program.read_text())
        line = shlex.join([python, "-I", "-S", str(stand_in.with_suffix(".py"))])
        stand_in.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
    stand_in.chmod(0o700)
