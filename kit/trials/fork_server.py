"""Parents of trials: each runs one trial at a time, with the interpreter of a stack (`kit.trials.worker`).

A *warm* parent has imported the stack's third-party libraries and forks a fresh child for each command; when a fork
would not be fresh or safe, it starts a new interpreter and reports why. Idle parents are reused and end with this
process. A process may lend its parents to another one, such as a kernel, which then starts none: at its start
(LENT_VARIABLE), or when it needs the first one (`borrow_from`).
"""

from __future__ import annotations

import atexit
import json
import os
import select
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kit import processes, workfolder
from kit.errors import TrialError
from kit.pair.lending import PARENTS, Asked
from kit.probes.drivers import CONNECTIONS, POOLS
from kit.probes.redact import redact
from kit.trials.worker import ADDRESS, READ_AT_START, SET_AFTER_START, SETTINGS, TEMPORARY, wire

START_S = 120.0
OUTPUT_KEPT = 20_000  # characters, from the end
OUTPUT_AT_MOST = 16_000_000  # bytes; a command that writes more is ended
_TIME_IS_UP = "its time limit was reached"
_END_S = 10.0  # seconds for a parent to end the processes that a command left
LENT_VARIABLE = "KIT_LENT_PARENTS"
_ADDRESS_AT_MOST = 100  # bytes of a socket's path, slightly below every system's limit
_PREFIX = "kit-parent-"
_WORKER = Path(__file__).with_name("worker")


@dataclass(frozen=True, slots=True)
class Ended:
    """The result of a command.

    `exit_code` is negative for a signal; None if the command was ended, at its time limit (`timed_out`) or because of
    `problem`. `left` is the number of processes that the command left behind, which were killed. `forked` is False if a
    new interpreter was started, with the reason in `why_not`.
    """

    exit_code: int | None
    duration_s: float
    output: str
    timed_out: bool = False
    problem: str | None = None
    left: int = 0
    forked: bool = False
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class ParentAddress:
    """The address of a parent. It can be sent to another process on this machine."""

    socket: str
    python: str
    why_not: str | None

    def run(self, command: Iterable[str], environ: Mapping[str, str], folder: Path, timeout_s: float) -> Ended:
        """Run a command in a folder with exactly this environment; end it and its descendants at the time limit."""
        began = time.perf_counter()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        reading, writing = os.pipe()
        with connection, os.fdopen(reading, "rb", buffering=0), open(os.devnull, "rb") as nothing:
            try:
                connection.connect(self.socket)
                message = {
                    "do": "run", "arguments": list(command), "folder": str(folder), "environ": list(environ.items()),
                }
                wire.send(connection, message, (nothing.fileno(), writing, writing))
            except OSError as error:
                return Ended(None, time.perf_counter() - began, "", problem=f"its parent has ended: {error}")
            finally:
                os.close(writing)
            return _Watch(connection, reading, began, timeout_s).ended()

    def stop(self) -> None:
        """End the running command, if there is one."""
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(self.socket)
            wire.send(connection, {"do": "stop"})
            connection.settimeout(_END_S)
            connection.recv(1)  # the parent closes the connection when all have exited


@dataclass
class _Watch:
    """Watches a command: keeps the end of its output, and requests its end at the time limit."""

    connection: socket.socket
    reading: int
    began: float
    timeout_s: float
    kept: bytearray = field(default_factory=bytearray)
    written: int = 0

    def ended(self) -> Ended:
        why = self._follow()
        if why is not None:
            with suppress(OSError):  # the command has just exited
                self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_END_S)
        duration_s = time.perf_counter() - self.began
        try:
            answer, _ = wire.receive(self.connection)
        except (EOFError, OSError):
            answer = {"exit_code": None, "left": 0, "forked": False, "why_not": None}
            why = why or "its parent did not answer"
        self._drain()
        code = answer["exit_code"] if why is None else None
        if code is None and why is None:
            why = "it was stopped"
        return Ended(
            code, duration_s, self._output(), timed_out=why == _TIME_IS_UP, problem=why if why != _TIME_IS_UP else None,
            left=answer["left"], forked=answer["forked"], why_not=answer["why_not"],
        )

    def _follow(self) -> str | None:
        """Read until there is an answer (returns None), or a reason to end the command."""
        deadline = self.began + self.timeout_s
        watched = select.poll()  # select() does not support the high descriptors of a process with many open files
        watched.register(self.connection, select.POLLIN)
        watched.register(self.reading, select.POLLIN)
        while True:
            ready = {number for number, _ in watched.poll(max(0.0, deadline - time.perf_counter()) * 1000)}
            if self.connection.fileno() in ready:
                return None
            if not ready:
                return _TIME_IS_UP
            if not self._read():
                watched.unregister(self.reading)
            if self.written > OUTPUT_AT_MOST:
                return f"it wrote more than {OUTPUT_AT_MOST // 1_000_000} MB and was ended"

    def _read(self) -> int:
        piece = os.read(self.reading, 65536)
        self.written += len(piece)
        self.kept += piece
        del self.kept[: -4 * OUTPUT_KEPT]
        return len(piece)

    def _drain(self) -> None:
        os.set_blocking(self.reading, False)
        with suppress(BlockingIOError):  # a process still holds the pipe open and writes nothing
            while self.written <= OUTPUT_AT_MOST and self._read():
                continue

    def _output(self) -> str:
        return redact(bytes(self.kept).decode(errors="replace"))[-OUTPUT_KEPT:]


class Parent:
    """A parent process, from its start until `close`. Raises TrialError when it cannot be started."""

    def __init__(
        self,
        python: str,
        environ: Mapping[str, str],
        warm: bool,
        also: tuple[str, ...] = (),
        alike: Collection[str] = (),
    ) -> None:
        self.kind = kind_of(python, environ, warm, also, alike)
        self.folder, self._lock = _private_folder()
        (self.folder / TEMPORARY).mkdir()
        told = {"python": python, "warm": warm, "also": also, "drivers": (*CONNECTIONS, *POOLS)}
        (self.folder / SETTINGS).write_text(json.dumps(told))
        with self._log().open("wb") as log:
            self.process = subprocess.Popen(
                [python, str(_WORKER), str(self.folder)],
                env={**environ, "TMPDIR": str(self.folder / TEMPORARY)}, cwd=self.folder, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, start_new_session=True,
                pass_fds=(self._lock,),  # the folder is locked as long as the parent lives
            )
        self.address: ParentAddress | None = None
        self._python = python

    def ready(self) -> ParentAddress:
        """Wait until the parent accepts commands. Raises TrialError when it exits before, or takes too long."""
        if self.address is None:
            said = self._first_words()
            why_not = json.loads(said)["why_not"]
            self.address = ParentAddress(str(self.folder / ADDRESS), self._python, why_not)
        return self.address

    def alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        """End the parent with all its descendants."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            processes.end(self.process.pid)
            self.process.wait()
        workfolder.remove(self.folder)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _first_words(self) -> bytes:
        assert self.process.stdout is not None
        said = b""
        waiting = select.poll()
        waiting.register(self.process.stdout, select.POLLIN)
        if waiting.poll(START_S * 1000):
            said = self.process.stdout.readline()
        if not said:
            last = self._log().read_text(errors="replace").strip().splitlines()[-1:]
            self.close()
            raise TrialError(
                f"the interpreter for trials did not start: {' '.join(last) or 'it said nothing'}",
                remedy=f"check that {self._python} runs",
            )
        return said

    def _log(self) -> Path:
        return self.folder / "log"


Kind = tuple[str, tuple[tuple[str, str], ...], bool, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class LentParent:
    """A parent that another process started and lends exclusively to this one."""

    kind: Kind
    address: ParentAddress

    def ready(self) -> ParentAddress:
        """The parent's address; it was ready before it was lent."""
        return self.address

    def alive(self) -> bool:
        """Whether the parent still accepts connections."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            return connection.connect_ex(self.address.socket) == 0

    def close(self) -> None:
        """Do nothing: its owner ends it."""


AnyParent = Parent | LentParent


def lend(parents: Iterable[AnyParent]) -> str:
    """Describe these parents, as the value of LENT_VARIABLE, for a process that uses them from now on."""
    return json.dumps([[parent.kind, asdict(parent.ready())] for parent in parents])


def borrow(described: str) -> None:
    """Register the parents that another process has lent to this one, for requests of their kind."""
    for (python, settings, warm, also), address in json.loads(described):
        kind = (python, tuple((name, value) for name, value in settings), warm, tuple(also))
        give_back(LentParent(kind, ParentAddress(**address)))


def borrow_from(address: str) -> None:
    """Borrow parents from the lender at this address when they are first needed, or announced by `expect_trials`."""
    _loan.address, _loan.asked = address, None


def expect_trials() -> None:
    """Let the lender, if there is one, get its parents ready for trials that are about to be run; does not wait."""
    with _loan.lock:
        if _loan.address and _loan.asked is None:
            _loan.asked = Asked(_loan.address, PARENTS)


def _borrow() -> None:
    expect_trials()
    with _loan.lock:
        if _loan.asked is not None:
            asked, _loan.asked, _loan.address = _loan.asked, None, ""
            borrow(asked.answer())


@dataclass(slots=True)
class _Loan:
    """The lender of this process's parents, as long as they were not borrowed, and the request, once it was sent."""

    address: str = ""
    asked: Asked | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


_loan = _Loan()
_idle: dict[Kind, list[AnyParent]] = {}
_lock = threading.Lock()


@contextmanager
def parents(
    python: str, environ: Mapping[str, str], count: int, *, warm: bool = True, also: tuple[str, ...] = (),
) -> Iterator[tuple[AnyParent, ...]]:
    """`count` parents for an interpreter and for the variables that it reads at its start.

    Idle parents are used first; the others are started all at once, and `ready` waits for each. `also` are modules to
    import in addition to the stack's libraries.
    """
    found = tuple(take(python, environ, warm=warm, also=also) for _ in range(count))
    try:
        yield found
    finally:
        for parent in found:
            give_back(parent)


def take(
    python: str,
    environ: Mapping[str, str],
    *,
    warm: bool = True,
    also: tuple[str, ...] = (),
    alike: Collection[str] = (),
) -> AnyParent:
    """One such parent, to be returned with `give_back`. Raises KitError when a lender's parents cannot be started.

    An idle parent must have been started with the same value of each variable in `alike`, besides those that an
    interpreter reads at its start.
    """
    _borrow()
    idle = take_idle(kind_of(python, environ, warm, also, alike))
    return Parent(python, environ, warm, also, alike) if idle is None else idle


def take_idle(kind: Kind) -> AnyParent | None:
    """An idle parent of this kind, which accepts commands at once; None if there is none."""
    with _lock:
        waiting = _idle.get(kind, [])
        while waiting:
            parent = waiting.pop()
            if parent.alive():
                return parent
            parent.close()
    return None


def give_back(parent: AnyParent) -> None:
    """Keep a parent for the next request; one that has exited, or was never waited for, is closed."""
    if not parent.alive() or parent.address is None:
        parent.close()
        return
    with _lock:
        _idle.setdefault(parent.kind, []).append(parent)


def pids() -> list[int]:
    """The process numbers of this process's idle parents."""
    with _lock:
        return [one.process.pid for waiting in _idle.values() for one in waiting if isinstance(one, Parent)]


def close_idle() -> None:
    """End all idle parents."""
    with _lock:
        waiting = [parent for parents in _idle.values() for parent in parents]
        _idle.clear()
    for parent in waiting:
        parent.close()


def kind_of(
    python: str, environ: Mapping[str, str], warm: bool, also: tuple[str, ...], alike: Collection[str] = ()
) -> Kind:
    """What parents that can stand in for each other have in common; `take` has the meaning of the arguments."""
    settings = (
        (name, value) for name, value in environ.items()
        if name in alike or (name.startswith(READ_AT_START) and name not in SET_AFTER_START)
    )
    return python, tuple(sorted(settings)), warm, also


def _private_folder() -> tuple[Path, int]:
    """A private folder and its lock, with a path that is short enough for a socket."""
    common, short = Path(tempfile.gettempdir()), Path("/tmp")
    workfolder.sweep(workfolder.TEMPORARY, (common, short))
    folder, lock = workfolder.make(common, _PREFIX)
    if len(os.fsencode(folder / ADDRESS)) <= _ADDRESS_AT_MOST:
        return folder, lock
    workfolder.remove(folder)
    os.close(lock)
    return workfolder.make(short, _PREFIX)


def _forget_after_fork() -> None:
    """Forget the parents in a fork of this process: they are not the fork's children, nor lent to it."""
    _idle.clear()
    _loan.address, _loan.asked, _loan.lock = "", None, threading.Lock()


atexit.register(close_idle)
os.register_at_fork(after_in_child=_forget_after_fork)
