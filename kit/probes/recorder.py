"""The record: one line of JSON for each event, one file for each process.

Each line is written at once and whole, so that a killed process leaves everything up to that moment. Stacks, which
repeat, are written once (`{"kind": "stack", "id": n, "frames": [...]}`) and referred to by id. Repeated events of a
test are written up to `REPEATS_AT_MOST` times, and only counted after that.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar

from .as_json import quoted, value_as_json
from .context import CURRENT
from .frames import Stack, application_stack
from .own import functools, itertools, os, sys, threading, time
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import is_of_a_signals_handler, quietly, reason
from .record_file import RecordFile
from .redact import may_hold_a_secret_in, redact_command, without_secrets

Function = TypeVar("Function", bound=Callable[..., Any])

FORMAT = 1  # 1: first
REPEATS_AT_MOST = 100  # for one kind of event and stack in one test and phase
_HAS_USERS = hasattr(os, "getresuid")
BYTES_AT_MOST = 512 * 1024 * 1024  # of one process's file; later events are only counted


def _counting_failures(write: Function) -> Function:
    """Make a method that writes an event raise nothing: an event that cannot be written is counted."""
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
    """Writes events to a file of this process in `directory`.

    `epoch` is the start of the run in seconds since 1970, which each `at_s` is relative to; all processes of a run
    share it. A forked child continues in a file of its own, and so does a process that changes its user.
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
        self._lost, self._why = 0, ""  # events that could not be encoded since the last report
        self._context: Tuple[Optional[Tuple[Any, ...]], str] = None, ""  # the current context's key, and its JSON
        self._fork_s = 0.0  # the start of the last fork, as seen by a child: of its own, or of one begun since
        self._forked: Optional[Tuple[Stack, Dict[str, Any]]] = None  # where and when this process was forked

    @_counting_failures
    def event(
        self, kind: str, *, stack: Optional[Stack] = None, apart: Tuple[Any, ...] = (),
        stacks: Optional[Dict[str, Stack]] = None, moment: Optional[Dict[str, Any]] = None, **fields: Any,
    ) -> None:
        """Write an event with its time, the current test, and its stack.

        `apart` distinguishes an event from others of its kind and stack, so that it does not count as a repetition.
        `stacks` are further stacks among its fields; `moment` is its time if not now, as returned by `moment()`.
        """
        if self._closed:
            return
        if stack is None:
            stack = application_stack()
        with self._lock:
            if not self._open() or self._exceeds_repeats((kind, stack, *apart)):
                return
            number = self._number_of(stack)
            if stacks is not None:
                fields.update((name, self._number_of(other)) for name, other in stacks.items())
            if moment is not None:
                self._write(f'"kind":"{kind}","late":true,"stack":{number}', {**moment, **fields})
            else:
                self._write(f'"kind":"{kind}","at_s":{self._now()},"stack":{number}{self._under_way()}', fields)

    @_counting_failures
    def plain(self, kind: str, **fields: Any) -> None:
        """Write an event without a stack: a header, a count, an end."""
        with self._lock:
            if self._open():
                self._write(f'"kind":"{kind}","at_s":{self._now()}', fields)

    def lost(self, error: BaseException) -> None:
        """Count an event that could not be encoded."""
        self._lost, self._why = self._lost + 1, self._why or reason(error)

    def not_seen(self, what: str, name: str, why: str) -> None:
        """Record that something could not be observed, so that its absence proves nothing."""
        self.plain("not_seen", what=what, name=name, why=why)

    def moment(self) -> Dict[str, Any]:
        """Return the current time and context, for an event that is written later."""
        return {"at_s": self.now_s(), **CURRENT.fields()}

    def now_s(self) -> float:
        return round(time.perf_counter() + self._clock_offset_s, 6)

    def _now(self) -> str:
        return "%.6f" % (time.perf_counter() + self._clock_offset_s)

    def _under_way(self) -> str:
        """Return the context as part of a line of JSON, cached since it is the same for many events in a row."""
        key = CURRENT.key()
        if key is None or key != self._context[0]:
            self._context = key, _shown(CURRENT.fields())
        return self._context[1]

    def count_left_out(self) -> Dict[str, int]:
        """Return the number of events of each kind that were counted and not written."""
        return dict(self._left_out)

    @quietly
    def before_fork(self) -> None:
        """Note the time: what a parent does after a fork can be recorded before its child runs again."""
        self._fork_s = self.now_s()

    def after_fork(self) -> None:
        """Replace the lock in a forked child, since a thread of the parent may have held it.

        Where it was forked is written with its first event: a child that does nothing writes no record.
        """
        self._lock = threading.RLock()
        self._note_fork()

    @quietly
    def _note_fork(self) -> None:
        self._forked = application_stack(), {**self.moment(), "at_s": self._fork_s}

    def close(self) -> None:
        with self._lock:
            self._closed, self._file = True, None

    def _exceeds_repeats(self, key: Tuple[Any, ...]) -> bool:
        if self._serial != CURRENT.serial:
            self._serial = CURRENT.serial
            self._repeats.clear()
        count = self._repeats[key] = self._repeats.get(key, 0) + 1
        if count <= REPEATS_AT_MOST and self._written < BYTES_AT_MOST:
            return False
        if self._written >= BYTES_AT_MOST and not self._is_full:
            self._is_full = True
            self.not_seen("record", self._name(), f"the record has reached its limit of {BYTES_AT_MOST} bytes")
        self._left_out[key[0]] = self._left_out.get(key[0], 0) + 1
        return True

    def _number_of(self, stack: Stack) -> int:
        number = self._stacks.get(stack)
        if number is None:
            number = self._stacks[stack] = next(self._numbers)  # unique even if a signal handler records, too
            if not self._write(f'"kind":"stack","id":{number}', {"frames": stack}):
                del self._stacks[stack]  # written again with the next event
        return number

    def _name(self) -> str:
        return f"process {self._pid}"

    def _open(self) -> bool:
        """Start this process's file if needed; return False if the recorder is closed, or the folder is gone."""
        if self._closed:
            return False
        pid = os.getpid()
        if self._file is not None and self._pid == pid and not self._has_dropped_root():
            return True  # else it is the parent's, or another user's, which this process cannot write to
        self._pid, self._user, self._written, self._is_full = pid, os.geteuid() if _HAS_USERS else 0, 0, False
        self._stacks, self._numbers = {}, itertools.count()
        self._file = RecordFile(os.path.join(self.directory, f"{pid}-{time.perf_counter_ns():x}.jsonl"))
        self._write(f'"kind":"process","format":{FORMAT},"at_s":{self._now()}', {
            "pid": pid, "ppid": os.getppid(), "argv": list(sys.argv), "cwd": os.getcwd(),
            "executable": sys.executable, "python": ".".join(map(str, sys.version_info[:3])),
            "parent": _command_of(os.getppid()), "forked": pid != self._first_pid,
        })
        if self._forked is not None:
            (stack, moment), self._forked = self._forked, None
            self.event("fork", stack=stack, moment=moment)
        return not self._closed

    def _has_dropped_root(self) -> bool:
        """Return whether a process of root has given up its rights for good."""
        return _HAS_USERS and self._user == 0 and 0 not in os.getresuid()

    def _write(self, head: str, fields: Dict[str, Any]) -> bool:
        """Write one line, from `head` (JSON already) and fields; return False if it is lost."""
        file = self._file
        if file is None:
            return False
        line = f"{{{head}{_shown(fields)}}}\n".encode()
        self._written += len(line)
        kept = file.append(line)
        if file.is_gone:  # the run is over, and its folder removed
            self._closed = True
        elif (self._lost or file.lost) and not file.waiting:
            lost, why = self._lost + file.lost, self._why or file.why
            self._lost, self._why, file.lost = 0, "", 0
            self.not_seen("record", self._name(), f"{lost} lines could not be written: {why}")
        return kept


def _shown(fields: Dict[str, Any]) -> str:
    """Return fields as the rest of a JSON object, without secrets."""
    pieces = _as_json(fields)
    text = "".join(pieces)
    return "".join(_as_json(without_secrets(fields))) if may_hold_a_secret_in(pieces, text) else text


def _as_json(fields: Dict[str, Any]) -> List[str]:
    return [f",{quoted(name)}:{value_as_json(value)}" for name, value in fields.items()]


def _command_of(pid: int) -> Optional[str]:
    """Return the command line of a process, without secrets; None if unavailable."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            arguments = file.read(2000).decode(errors="replace").rstrip("\0").split("\0")
            return " ".join(redact_command(arguments)).strip()
    except OSError:
        return None
