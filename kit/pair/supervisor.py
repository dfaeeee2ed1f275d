"""The supervisor: a small process that starts servers and ends them when their owner exits, in whatever way.

Run by path with `python -I -S`, so that it starts in milliseconds and loads only the standard library. It reads one
JSON order per line on stdin and writes one JSON event per line on stdout:

    {"watch": PID}                                          end with this process instead of the starter
    {"start": NAME, "argv": [...], "log": PATH, "env": {}}  -> {"started": NAME, "pid": PID}
    {"run": NAME, "argv": [...], "log": PATH, "env": {}, "input": PATH, "as_named": [UID, GID] or null}
                                                            the same, for a program that exits by itself
    {"stop": NAME}                                          -> {"ended": NAME, "status": STATUS}, as for any exit
    {"detach": true}                                        outlive the starter

It ends every server and program, removes the directory and exits when the watched process has exited, on SIGTERM, when
anything is written to the pipe `end` in the directory, and at the end of stdin unless an order to watch or detach came
before. The pipe is for a caller that knows only the directory: a process number in a file may have been reused. A
server gets SIGQUIT from the kernel when the supervisor dies (Linux), so that it cannot outlive it; a program gets
SIGTERM. The supervisor has one thread, because the kernel sends that signal when the thread that forked ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import sys
import time

LOCK, END, ENDED = "lock", "end", ".ended"
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
IPC_RMID = 0
WATCH_INTERVAL_S = 0.25
FAST_STOP_S = 10.0


class Supervisor:
    """Servers by name, one directory, and the process with which they end."""

    def __init__(self, directory: str, starter: int, account: tuple[int, int] | None) -> None:
        self.directory, self.account = directory, account
        self.servers: dict[str, int] = {}
        self.programs: dict[str, int] = {}
        self.stopping: set[str] = set()
        self.data: dict[str, str] = {}
        self.orders = b""
        self.listening = True
        self.ends_with_orders = True
        self.ending = False
        self.owner: int | None = None
        self.owner_fd: int | None = None
        self.wakeup_read, self.wakeup_write = os.pipe()
        os.set_blocking(self.wakeup_write, False)
        os.set_blocking(self.wakeup_read, False)
        signal.set_wakeup_fd(self.wakeup_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self.terminate)
        for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)
        os.mkfifo(os.path.join(directory, END), 0o600)
        # Opened for reading and writing, so that it does not reach end of file when a writer closes it.
        self.end_fd = os.open(os.path.join(directory, END), os.O_RDWR | os.O_NONBLOCK)
        self.watch(starter)

    def terminate(self, *_: object) -> None:
        self.ending = True

    def watch(self, owner: int | None) -> None:
        if self.owner_fd is not None:
            os.close(self.owner_fd)
        self.owner, self.owner_fd = owner, None
        if owner is None or not hasattr(os, "pidfd_open"):
            return
        try:
            self.owner_fd = os.pidfd_open(owner)
        except ProcessLookupError:
            self.ending = True
        except OSError:
            return  # a kernel without pidfd: the owner is polled instead

    def run(self) -> None:
        while not self.ending:
            self.wait()
            self.reap()
            if self.owner is not None and not is_alive(self.owner):
                self.ending = True
        self.close()

    def wait(self) -> None:
        sources = [self.wakeup_read, self.end_fd]
        if self.listening:
            sources.append(0)
        if self.owner_fd is not None:
            sources.append(self.owner_fd)
        looks = self.owner is not None and self.owner_fd is None
        readable, _, _ = select.select(sources, [], [], WATCH_INTERVAL_S if looks else None)
        if self.owner_fd in readable or self.end_fd in readable:
            self.ending = True
        if self.wakeup_read in readable:
            self.forget_wakeups()
        if 0 in readable and not self.ending:
            self.read_orders()

    def forget_wakeups(self) -> None:
        try:
            os.read(self.wakeup_read, 4096)
        except BlockingIOError:
            return

    def read_orders(self) -> None:
        received = os.read(0, 65536)
        if not received:
            self.listening = False
            self.ending = self.ends_with_orders
            return
        *lines, self.orders = (self.orders + received).split(b"\n")
        for line in lines:
            self.execute_order(json.loads(line))

    def execute_order(self, order: dict[str, object]) -> None:
        if "start" in order:
            self.start(order)
        elif "run" in order:
            self.run_program(order)
        elif "stop" in order:
            self.stopping.add(str(order["stop"]))
            self.signal_server(str(order["stop"]), signal.SIGINT)
        else:
            self.ends_with_orders = False
            self.watch(None if "detach" in order else int(str(order["watch"])))

    def start(self, order: dict[str, object]) -> None:
        name, argv = str(order["start"]), list(order["argv"])  # type: ignore[call-overload]
        self.data[name] = argv[argv.index("-D") + 1]
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.directory, name + ENDED))
        created = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self.begin(self.servers, name, argv, order, os.devnull, created, signal.SIGQUIT)

    def run_program(self, order: dict[str, object]) -> None:
        name, argv, given = str(order["run"]), list(order["argv"]), str(order["input"])  # type: ignore[call-overload]
        self.begin(self.programs, name, argv, order, given, os.O_WRONLY, signal.SIGTERM)

    def begin(
        self,
        known: dict[str, int],
        name: str,
        argv: list[str],
        order: dict[str, object],
        given: str,
        how: int,
        at_death: signal.Signals,
    ) -> None:
        try:
            source = os.open(given, os.O_RDONLY)
        except OSError:  # the file has just been removed
            self.tell({"ended": name, "status": 127})
            return
        try:
            log = os.open(str(order["log"]), how, 0o600)
        except OSError:  # no space for a log
            log = os.open(os.devnull, os.O_WRONLY)
        known[name] = self.fork(argv, order, source, log, at_death)
        self.tell({"started": name, "pid": known[name]})

    def fork(
        self, argv: list[str], order: dict[str, object], given: int, log: int, at_death: signal.Signals
    ) -> int:
        """Start a program that gets the signal `at_death` when the supervisor dies. Closes both descriptors here."""
        supervisor = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                if at_death is signal.SIGTERM:
                    os.setpgid(0, 0)  # so that its children end with it
                become_server(supervisor, (given, log), argv, order, self.account, at_death)
            finally:
                os._exit(127)
        os.close(given)
        os.close(log)
        return pid

    def reap(self) -> None:
        for known in (self.servers, self.programs):
            for name, pid in list(known.items()):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    del known[name]
                    self.report_end(name, os.waitstatus_to_exitcode(status))

    def report_end(self, name: str, status: int) -> None:
        if name in self.data:
            release_memory(self.data[name])
        if name in self.data and name not in self.stopping and not self.ending:
            # A killed server has logged nothing about its end, so callers that find it gone read this record. It is
            # written atomically, because they may read it at any time.
            record = os.path.join(self.directory, name + ENDED)
            with contextlib.suppress(OSError):
                with open(record + ".new", "w") as file:
                    file.write(str(status))
                os.rename(record + ".new", record)
        self.stopping.discard(name)
        self.tell({"ended": name, "status": status})

    def tell(self, event: dict[str, object]) -> None:
        try:
            os.write(1, json.dumps(event).encode() + b"\n")
        except OSError:
            return  # the reader has gone; the servers matter, not the event

    def signal_server(self, name: str, number: signal.Signals) -> None:
        if name in self.servers:
            os.kill(self.servers[name], number)

    def close(self) -> None:
        # Their data is removed with them, so nothing has to be written back: SIGQUIT, the immediate shutdown. Unlike
        # SIGKILL it still releases the shared memory.
        for name in list(self.servers):
            self.signal_server(name, signal.SIGQUIT)
        self.signal_programs(signal.SIGTERM)
        deadline = time.monotonic() + FAST_STOP_S
        while (self.servers or self.programs) and time.monotonic() < deadline:
            select.select([self.wakeup_read], [], [], WATCH_INTERVAL_S)
            self.forget_wakeups()
            self.reap()
        for name in list(self.servers):
            self.signal_server(name, signal.SIGKILL)
        self.signal_programs(signal.SIGKILL)
        for name, pid in (*self.servers.items(), *self.programs.items()):
            os.waitpid(pid, 0)
            if name in self.data:
                release_memory(self.data[name])
        remove(self.directory)

    def signal_programs(self, number: signal.Signals) -> None:
        for pid in self.programs.values():
            for leader in (-pid, pid):  # the second for a process that is not a group leader yet
                with contextlib.suppress(OSError):
                    os.kill(leader, number)


def become_server(
    supervisor: int,
    streams: tuple[int, int],
    argv: list[str],
    order: dict[str, object],
    account: tuple[int, int] | None,
    at_death: signal.Signals,
) -> None:
    """Replace this forked child by a server or program. Never returns, except when it cannot be executed."""
    for number, file in zip((0, 1, 2), (streams[0], streams[1], streams[1]), strict=True):
        os.dup2(file, number)
    os.closerange(3, 256)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    if account is not None:
        os.setgroups([])
        os.setgid(account[1])
        os.setuid(account[0])
    if order.get("as_named"):
        take_name(*order["as_named"])  # type: ignore[misc]
    if sys.platform == "linux":
        # After the change of user, which clears the setting.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, at_death, 0, 0, 0)
        if os.getppid() != supervisor:
            return
    try:
        os.execve(argv[0], argv, dict(order["env"]))  # type: ignore[call-overload]
    except OSError as error:
        os.write(2, f"could not execute {argv[0]}: {error.strerror}\n".encode())


def take_name(uid: int, gid: int) -> None:
    """Map this process's uid and gid to others in a new user namespace; file access still uses the real ones.

    For programs that require an entry in the system's user database. When the kernel does not allow it, nothing
    changes, and the program reports the missing entry.
    """
    real_uid, real_gid = os.geteuid(), os.getegid()
    if sys.platform != "linux" or ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
        return
    for file, line in (
        ("setgroups", "deny"),
        ("gid_map", f"{gid} {real_gid} 1"),
        ("uid_map", f"{uid} {real_uid} 1"),
    ):
        with contextlib.suppress(OSError), open(f"/proc/self/{file}", "w") as map_of_numbers:
            map_of_numbers.write(line)


def remove(directory: str) -> None:
    """Remove a directory's content, then its lock, then the directory.

    A lock that exists and is held means that a command is running; if it is not held, anybody may remove the rest.
    """
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for path in (os.path.join(directory, name) for name in names if name != LOCK):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # another process removed it first
                os.unlink(path)
    shutil.rmtree(directory, ignore_errors=True)


def is_alive(pid: int) -> bool:
    """Whether a process with this number exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def release_memory(data: str) -> None:
    """Release the System V shared memory of a server that was killed before it could.

    macOS allows few such segments, and they outlive their processes. A server that stopped cleanly has removed its pid
    file.
    """
    try:
        with open(os.path.join(data, "postmaster.pid"), encoding="utf-8", errors="replace") as file:
            key, number = (int(word) for word in file.read().split("\n")[6].split())
    except (OSError, IndexError, ValueError):
        return
    libc = ctypes.CDLL(None)
    if libc.shmget(key, 0, 0) == number:
        libc.shmctl(number, IPC_RMID, None)


def main(directory: str, starter: str, *account: str) -> None:
    """Supervise `directory` for the process `starter`; servers run as `account` (uid, gid) if given."""
    Supervisor(directory, int(starter), (int(account[0]), int(account[1])) if account else None).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
