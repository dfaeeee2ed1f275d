"""A forked kernel, as the process that Jupyter expects: what `subprocess.Popen` would be for an ordinary one."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kit.trials.fork_server import AnyParent, give_back
from kit.trials.worker import wire

START = "kit.notebooks.warm.start"
_ANSWER_S = 10.0
"""Seconds for a parent that is ready to fork. One that is stopped or swapped out is not waited for."""


class NotForked(Exception):
    """No fork could be made; the argument is the reason."""


class _Outdated(Exception):
    """A parent that could be forked before cannot be forked any more."""


@dataclass(frozen=True)
class Program:
    """What a kernel runs: a module or MODULE:FUNCTION with its arguments, its folder, environment and files by number.

    A program that `watches_owner` ends itself and all that it started when the process that started it has exited; of
    any other one, processes that it leaves behind go on.
    """

    name: str
    arguments: Sequence[str]
    folder: str
    environ: Mapping[str, str]
    files: Mapping[int, int]
    watches_owner: bool = False


class ForkedKernel:
    """A running kernel. Its parent is given back when it has ended, or ended if the kernel left processes behind."""

    stdin = stdout = stderr = None  # whoever starts a kernel passes files, never pipes to read here

    def __init__(self, parent: AnyParent, program: Program) -> None:
        """Fork the kernel. Raises NotForked, with the parent given back, or ended if it will fork no more."""
        self._parent: AnyParent | None = parent
        self._program = program
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.pid = self._fork()
        except (OSError, EOFError, _Outdated) as error:
            self._connection.close()
            parent.close()
            raise NotForked(str(error)) from None
        except NotForked:
            self._connection.close()
            give_back(parent)  # so that no other one is started, to say the same
            raise

    @property
    def args(self) -> list[str]:
        """The command line."""
        return [self._program.name, *self._program.arguments]

    def poll(self) -> int | None:
        """The exit code, negative for a signal, or None while the kernel runs."""
        if self.returncode is None and _readable(self._connection, 0):
            self._take_end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit code. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        if self.returncode is None:
            if not _readable(self._connection, timeout):
                assert timeout is not None
                raise subprocess.TimeoutExpired(self.args, timeout)
            self._take_end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel; none is sent to a process number that may be another's by now."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the kernel to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the kernel."""
        self.send_signal(signal.SIGKILL)

    def abandon(self) -> None:
        """End a kernel whose end nobody waits for any more, with its parent. Does nothing for one that has ended."""
        parent, self._parent = self._parent, None
        if parent is not None:
            self._connection.close()
            parent.close()
            self.returncode = -signal.SIGKILL

    def _fork(self) -> int:
        assert self._parent is not None
        address = self._parent.ready()
        if address.why_not is not None:
            raise NotForked(address.why_not)
        program = self._program
        self._connection.settimeout(_ANSWER_S)
        self._connection.connect(address.socket)
        message = {
            "do": "kernel",
            "arguments": [address.python, "-m", START, program.name, *program.arguments],
            "folder": program.folder,
            "environ": list(program.environ.items()),
            "numbers": list(program.files),
            "watches": program.watches_owner,
        }
        wire.send(self._connection, message, tuple(program.files.values()))
        answer, _ = wire.receive(self._connection)
        if answer["pid"] is None:
            raise _Outdated(answer["why_not"])
        self._connection.settimeout(None)
        return int(answer["pid"])

    def _take_end(self) -> None:
        """Read how the kernel ended from its parent, which has reaped it."""
        parent, self._parent = self._parent, None
        assert parent is not None
        try:
            answer: Mapping[str, Any] = wire.receive(self._connection)[0]
        except (EOFError, OSError):  # the parent was killed, and the kernel with it
            answer = {"exit_code": None, "left": 0}
        self._connection.close()
        code = answer["exit_code"]
        self.returncode = -signal.SIGKILL if code is None else int(code)
        if answer["left"] and not self._program.watches_owner:
            parent.close()  # what the kernel left goes on, as it does after an ordinary one
        else:
            give_back(parent)


def _readable(connection: socket.socket, timeout_s: float | None) -> bool:
    watched = select.poll()  # select() does not support the high descriptors of a process with many open files
    watched.register(connection, select.POLLIN)
    return bool(watched.poll(None if timeout_s is None else timeout_s * 1000))


def files_of(options: Mapping[str, Any], nothing: int) -> dict[int, int]:
    """The files of a process by their numbers, out of options of `subprocess.Popen`; `nothing` is an open null device.

    Raises NotForked for an option that a fork cannot have.
    """
    files = {}
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        given = options.get(name)
        if given == subprocess.DEVNULL or (given is None and name == "stdin"):
            files[number] = nothing
        elif isinstance(given, int) and given < 0:
            raise NotForked(f"its client holds the other end of its {name}")
        else:
            files[number] = number if given is None else _number(given)
    passed: Iterable[int] = options.get("pass_fds", ())
    return files | {number: number for number in passed}


def _number(file: Any) -> int:
    return file if isinstance(file, int) else int(file.fileno())
