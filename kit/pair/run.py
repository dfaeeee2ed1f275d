"""The directory of a running pair, its lock, and the supervisor that holds the lock."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from kit import processes, workfolder
from kit.errors import PairError
from kit.pair import supervisor as supervisor_program
from kit.pair.places import DATA_VARIABLE, RUN_PREFIX, Account, all_bases, choose_data_base

ANSWER_S = 30.0


class RunDirectory:
    """The directory of one pair, locked as long as its supervisor, or the process that made it, lives."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path, self.lock = path, lock

    @classmethod
    def make(cls, user: Account | None) -> RunDirectory:
        """Make and lock a new directory where there is enough space. Raises PairError when there is none."""
        base = choose_data_base(user)
        try:
            path, lock = workfolder.make(base, RUN_PREFIX)
        except OSError as error:
            raise PairError(
                f"cannot make a directory in {base}: {error.strerror}",
                remedy=f"set {DATA_VARIABLE} to a directory that you can write to",
            ) from error
        path.chmod(0o711)  # the servers' user passes through it and need not list it
        return cls(path, lock)

    @property
    def name(self) -> str:
        """The unique part of the directory's name."""
        return self.path.name.removeprefix(RUN_PREFIX)

    def release(self) -> None:
        """Close this process's descriptor of the lock; the supervisor keeps its own."""
        os.close(self.lock)


def sweep() -> list[Path]:
    """Remove what killed runs of this user left behind; return the directories of pairs that were removed."""
    found = workfolder.abandoned((RUN_PREFIX,), all_bases())
    for directory in found:
        clear(directory)
    workfolder.sweep(workfolder.TEMPORARY, (Path(tempfile.gettempdir()),))
    return found


def clear(directory: Path) -> None:
    """Remove a directory that no process holds, after ending servers that still run on it."""
    end_leftovers(directory)
    supervisor_program.remove(str(directory))


def end_leftovers(directory: Path) -> None:
    """End servers that outlived their supervisor, which can happen on macOS."""
    for pid_file in directory.glob("*/postmaster.pid"):
        try:
            pid = int(pid_file.read_text("utf-8", "replace").split("\n")[0])
        except (OSError, ValueError):
            continue
        data = str(pid_file.parent)
        if runs_on(pid, data):
            processes.end(pid, ask=signal.SIGQUIT, within_s=ANSWER_S)
        supervisor_program.release_memory(data)


def runs_on(pid: int, data: str) -> bool:
    """Whether process `pid` is a server on the data directory `data`, not another process that got its number."""
    return b"-D %b " % os.fsencode(data) in processes.arguments(pid)


def is_supervisor(pid: int, directory: str) -> bool:
    """Whether process `pid` is the supervisor of `directory`, not another process that got its number."""
    return b"%b %b " % (os.fsencode(supervisor_program.__file__), os.fsencode(directory)) in processes.arguments(pid)


class Supervisor:
    """The client of the supervisor process: sends orders, receives events."""

    def __init__(self, directory: RunDirectory, user: Account | None) -> None:
        account = [str(user.uid), str(user.gid)] if user is not None else []
        self.directory = directory
        self.owner = os.getpid()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor_program.__file__, str(directory.path), str(self.owner), *account],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"LC_ALL": "C", "PATH": os.defpath},
            pass_fds=(directory.lock,),
            start_new_session=True,  # an interrupt at the terminal is for the owner to handle
        )
        self.ended: dict[str, int] = {}
        self.pids: dict[str, int] = {}  # of running servers and programs
        self._unread = b""
        self._abandoned = False

    def start(self, name: str, argv: list[str], log: Path, env: Mapping[str, str]) -> None:
        """Order the start of a server; its process number is in `pids` once the answer was read."""
        self.ended.pop(name, None)
        self.pids.pop(name, None)
        self._order({"start": name, "argv": argv, "log": str(log), "env": dict(env)})

    def run(
        self,
        name: str,
        argv: list[str],
        env: Mapping[str, str],
        *,
        log: Path = Path(os.devnull),
        given: Path = Path(os.devnull),
        as_named: tuple[int, int] | None = None,
    ) -> None:
        """Order the run of a program that reads `given`, writes to `log` and exits; its status is then in `ended`.

        `as_named` are the uid and gid that the program sees as its own, on systems that allow it.
        """
        self.ended.pop(name, None)
        order = {"run": name, "argv": argv, "log": str(log), "env": dict(env), "input": str(given)}
        self._order(order | {"as_named": as_named})

    def stop(self, *names: str) -> None:
        """Stop servers cleanly and wait until they have exited. Raises PairError when they do not."""
        for name in names:
            self._order({"stop": name})
        if not self.wait_for(*names, timeout_s=ANSWER_S):
            raise PairError(f"the servers {', '.join(names)} did not stop within {ANSWER_S:.0f} s")

    def wait_for(self, *names: str, timeout_s: float) -> bool:
        """Wait until these servers or programs have exited; False when some have not within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while any(name not in self.ended for name in names):
            if time.monotonic() > deadline:
                return False
            self.listen(0.05)
        return True

    def listen(self, timeout_s: float) -> None:
        """Read events, waiting at most `timeout_s` for the first.

        Raises PairError when the supervisor has exited, or was abandoned.
        """
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], timeout_s)
        if not readable:
            return
        received = os.read(self.process.stdout.fileno(), 65536)
        if self._abandoned:  # what ended then did not fail
            raise PairError("the start of the servers was abandoned", remedy="run it again")
        if not received:
            raise PairError(
                "the supervisor of the servers has ended", remedy="try again; then look at the system log"
            )
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if "started" in event:
                self.pids[event["started"]] = event["pid"]
            else:
                self.pids.pop(event["ended"], None)
                self.ended[event["ended"]] = event["status"]

    def watch(self, owner: int) -> None:
        """Order the servers to end with the process `owner` instead of this one."""
        self._order({"watch": owner})
        self._let_live()

    def detach(self) -> None:
        """Order the servers to outlive this process, until SIGTERM reaches the supervisor."""
        self._order({"detach": True})
        self._let_live()

    def abandon(self) -> None:
        """End the servers and programs while another thread still waits for them in `listen`, which then raises."""
        self._abandoned = True
        self.process.terminate()

    def close(self) -> None:
        """End the servers and remove their directory. Does nothing in a fork of the owner."""
        if os.getpid() != self.owner:
            return
        self._let_go()
        self.process.wait()
        if self.directory.path.exists():  # the supervisor was killed
            clear(self.directory.path)

    def _order(self, order: Mapping[str, object]) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise PairError("the supervisor of the servers has ended", remedy="try again") from error

    def _let_live(self) -> None:
        self._let_go()
        self.process.returncode = 0  # it has another owner from here on; Popen would warn that it is still running

    def _let_go(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except OSError:  # the supervisor exited first
                    continue
