"""What the probes saw, as it is written down: one line of JSON an event, one file a process.

A line is written at once and whole, so that a process which is killed leaves everything up to that moment.
Stacks, which repeat, are written once (`{"kind": "stack", "id": n, "frames": [...]}`) and named by number. What
happens again and again in one test is written down `REPEATS_AT_MOST` times, and counted from there on.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Tuple, TypeVar

from .as_json import quoted, value_as_json
from .context import CURRENT
from .frames import Stack, application_stack
from .own import functools, itertools, os, sys, threading, time
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import is_of_a_signals_handler, reason
from .record_file import RecordFile
from .redact import may_hold_a_secret, redact_command, without_secrets

Function = TypeVar("Function", bound=Callable[..., Any])

FORMAT = 1  # 1: first
REPEATS_AT_MOST = 100  # of one kind of event, from one place, in one test and phase
_HAS_USERS = hasattr(os, "getresuid")
BYTES_AT_MOST = 512 * 1024 * 1024  # of one process's file; what is left out from there on is counted


def _counted_where_it_fails(write: Function) -> Function:
    """Make a writer of an event raise nothing: one that cannot be written is counted, and the next one is tried."""
    @functools.wraps(write)
    def call(recorder: Recorder, *args: Any, **kwargs: Any) -> None:
        try:
            write(recorder, *args, **kwargs)
        except Exception as error:
            if is_of_a_signals_handler(error):
                raise
            recorder.lost(error)
    return call  # type: ignore[return-value]


class Recorder:
    """Writes events to a file of this process's own in `directory`.

    `epoch` is the moment, in seconds since 1970, from which every event's `at_s` is counted; processes of one run
    share it. A forked child goes on in a file of its own, and so does a process that changes its user.
    """

    def __init__(self, directory: str, epoch: float) -> None:
        self.directory, self.epoch = os.path.abspath(directory), epoch
        self._lock = threading.RLock()
        self._stacks: Dict[Stack, int] = {}
        self._numbers = itertools.count()
        self._file: Optional[RecordFile] = None
        self._closed = False
        self._pid = self._first_pid = os.getpid()
        self._user = 0
        self._clock_offset_s = time.time() - time.perf_counter() - epoch
        self._written = 0  # bytes
        self._serial = 0
        self._repeats: Dict[Tuple[Any, ...], int] = {}
        self._left_out: Dict[str, int] = {}
        self._is_full = False
        self._lost, self._why = 0, ""  # events that could not be put into words, since it was last said
        self._context: Tuple[Optional[Tuple[Any, ...]], str] = None, ""  # what is under way, and as it is written

    @_counted_where_it_fails
    def event(
        self, kind: str, *, stack: Optional[Stack] = None, apart: Tuple[Any, ...] = (),
        stacks: Optional[Dict[str, Stack]] = None, moment: Optional[Dict[str, Any]] = None, **fields: Any,
    ) -> None:
        """Write one event, with the time, the test under way, and the application's frames that led to it.

        `apart` is what sets an event apart from others of its kind and place, so that it counts as no repetition.
        `stacks` are other frames that it tells of; `moment` is when it was, as `moment()` gave it, if not now.
        """
        if self._closed:
            return
        if stack is None:
            stack = application_stack()
        with self._lock:
            if not self._open() or self._is_one_too_many((kind, stack, *apart)):
                return
            number = self._number_of(stack)
            if stacks is not None:
                fields.update((name, self._number_of(other)) for name, other in stacks.items())
            if moment is not None:
                self._write(f'"kind":"{kind}","late":true,"stack":{number}', {**moment, **fields})
            else:
                self._write(f'"kind":"{kind}","at_s":{self._now()},"stack":{number}{self._under_way()}', fields)

    @_counted_where_it_fails
    def plain(self, kind: str, **fields: Any) -> None:
        """Write one event that no code of the project led to: a header, a count, an end."""
        with self._lock:
            if self._open():
                self._write(f'"kind":"{kind}","at_s":{self._now()}', fields)

    def lost(self, error: BaseException) -> None:
        """An event could not be put into words."""
        self._lost, self._why = self._lost + 1, self._why or reason(error)

    def not_seen(self, what: str, name: str, why: str) -> None:
        """Say that something could not be seen: nothing can be called clean where it may have been."""
        self.plain("not_seen", what=what, name=name, why=why)

    def moment(self) -> Dict[str, Any]:
        """Return what tells when an event was, for one that may be written later."""
        return {"at_s": self.now_s(), **CURRENT.fields()}

    def now_s(self) -> float:
        return round(time.perf_counter() + self._clock_offset_s, 6)

    def _now(self) -> str:
        return "%.6f" % (time.perf_counter() + self._clock_offset_s)

    def _under_way(self) -> str:
        """Return the context as the middle of a line; it is the same for many events in a row."""
        key = CURRENT.key()
        if key is None or key != self._context[0]:
            self._context = key, _shown(CURRENT.fields())
        return self._context[1]

    def count_left_out(self) -> Dict[str, int]:
        """How many events of each kind were counted and not written."""
        return dict(self._left_out)

    def after_fork(self) -> None:
        """In a child: another thread of the parent's may have held the lock, and will never give it back."""
        self._lock = threading.RLock()

    def close(self) -> None:
        with self._lock:
            self._closed, self._file = True, None

    def _is_one_too_many(self, key: Tuple[Any, ...]) -> bool:
        if self._serial != CURRENT.serial:
            self._serial = CURRENT.serial
            self._repeats.clear()
        count = self._repeats[key] = self._repeats.get(key, 0) + 1
        if count <= REPEATS_AT_MOST and self._written < BYTES_AT_MOST:
            return False
        if self._written >= BYTES_AT_MOST and not self._is_full:
            self._is_full = True
            self.not_seen("record", self._name(), f"it has {BYTES_AT_MOST} bytes, and is continued no further")
        self._left_out[key[0]] = self._left_out.get(key[0], 0) + 1
        return True

    def _number_of(self, stack: Stack) -> int:
        number = self._stacks.get(stack)
        if number is None:
            number = self._stacks[stack] = next(self._numbers)  # once each, whatever a signal's handler does meanwhile
            if not self._write(f'"kind":"stack","id":{number}', {"frames": stack}):
                del self._stacks[stack]  # it is written where it leads to something again
        return number

    def _name(self) -> str:
        return f"process {self._pid}"

    def _open(self) -> bool:
        """Have this process's file begun; False where the recorder is closed, or the folder is gone."""
        if self._closed:
            return False
        pid = os.getpid()
        if self._file is not None and self._pid == pid and not self._has_left_its_user():
            return True  # else it is the parent's, before a fork, or that of a user whose file is closed to this one
        self._pid, self._user, self._written, self._is_full = pid, os.geteuid() if _HAS_USERS else 0, 0, False
        self._stacks, self._numbers = {}, itertools.count()
        self._file = RecordFile(os.path.join(self.directory, f"{pid}-{time.perf_counter_ns():x}.jsonl"))
        self._write(f'"kind":"process","format":{FORMAT},"at_s":{self._now()}', {
            "pid": pid, "ppid": os.getppid(), "argv": list(sys.argv), "cwd": os.getcwd(),
            "executable": sys.executable, "python": ".".join(map(str, sys.version_info[:3])),
            "parent": _command_of(os.getppid()), "forked": pid != self._first_pid,
        })
        return not self._closed

    def _has_left_its_user(self) -> bool:
        """Tell whether root's process has become another user's for good; one that can come back writes then."""
        return _HAS_USERS and self._user == 0 and 0 not in os.getresuid()

    def _write(self, head: str, fields: Dict[str, Any]) -> bool:
        """Write one line: its head, which is JSON already, and fields. False where it is lost."""
        file = self._file
        if file is None:
            return False
        line = f"{{{head}{_shown(fields)}}}\n".encode()
        self._written += len(line)
        kept = file.append(line)
        if file.is_gone:  # the run that wanted the record is over
            self._closed = True
        elif (self._lost or file.lost) and not file.waiting:
            lost, why = self._lost + file.lost, self._why or file.why
            self._lost, self._why, file.lost = 0, "", 0
            self.not_seen("record", self._name(), f"{lost} lines could not be written: {why}")
        return kept


def _shown(fields: Dict[str, Any]) -> str:
    """Return fields as the end of an object in JSON, without secrets."""
    text = _as_json(fields)
    return _as_json(without_secrets(fields)) if may_hold_a_secret(text) else text


def _as_json(fields: Dict[str, Any]) -> str:
    return "".join([f",{quoted(name)}:{value_as_json(value)}" for name, value in fields.items()])


def _command_of(pid: int) -> Optional[str]:
    """Return the command line of a process; None where the system does not tell."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            arguments = file.read(2000).decode(errors="replace").rstrip("\0").split("\0")
            return " ".join(redact_command(arguments)).strip()
    except OSError:
        return None
