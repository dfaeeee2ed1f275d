"""What the probes saw, as it is written down: one line of JSON an event, one file a process.

A line is written at once and whole, so that a process which is killed leaves everything up to that moment.
Stacks, which repeat, are written once (`{"kind": "stack", "id": n, "frames": [...]}`) and named by number. What
happens again and again in one test is written down `REPEATS_AT_MOST` times, and counted from there on.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Dict, Optional, Tuple

from .context import CURRENT
from .frames import Stack, application_stack
from .redact import redact

FORMAT = 1  # 1: first
REPEATS_AT_MOST = 100  # of one kind of event, from one place, in one test and phase
BYTES_AT_MOST = 512 * 1024 * 1024  # of one process's file; what is left out from there on is counted

_WORDS = {None: "null", True: "true", False: "false"}
_encode = json.JSONEncoder(separators=(",", ":"), default=repr).encode


class Recorder:
    """Writes events to a file of this process's own in `directory`.

    `epoch` is the moment, in seconds since 1970, from which every event's `at_s` is counted; processes of one run
    share it. A forked child goes on in a file of its own.
    """

    def __init__(self, directory: str, epoch: float) -> None:
        self.directory, self.epoch = directory, epoch
        self._lock = threading.RLock()
        self._stacks: Dict[Stack, int] = {}
        self._file: Optional[int] = None
        self._closed = False
        self._pid = self._first_pid = os.getpid()
        self._clock_offset_s = time.time() - time.perf_counter() - epoch
        self._written = 0  # bytes
        self._serial = 0
        self._repeats: Dict[Tuple[Any, ...], int] = {}
        self._left_out: Dict[str, int] = {}
        self._context: Tuple[Optional[Tuple[Any, ...]], str] = None, ""  # what is under way, and as it is written

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
                self._write(f'"kind":"{kind}","stack":{number}', {**moment, **fields})
            else:
                self._write(f'"kind":"{kind}","at_s":{self._now()},"stack":{number}{self._under_way()}', fields)

    def plain(self, kind: str, **fields: Any) -> None:
        """Write one event that nobody's code led to: a header, a count, an end."""
        with self._lock:
            if self._open():
                self._write(f'"kind":"{kind}","at_s":{self._now()}', fields)

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
            self._closed = True
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _is_one_too_many(self, key: Tuple[Any, ...]) -> bool:
        if self._serial != CURRENT.serial:
            self._serial = CURRENT.serial
            self._repeats.clear()
        count = self._repeats[key] = self._repeats.get(key, 0) + 1
        if count <= REPEATS_AT_MOST and self._written < BYTES_AT_MOST:
            return False
        self._left_out[key[0]] = self._left_out.get(key[0], 0) + 1
        return True

    def _number_of(self, stack: Stack) -> int:
        number = self._stacks.get(stack)
        if number is None:
            number = self._stacks[stack] = len(self._stacks)
            self._write(f'"kind":"stack","id":{number}', {"frames": stack})
        return number

    def _open(self) -> bool:
        """Have this process's file open; False where the recorder is closed, or cannot write."""
        if self._closed:
            return False
        pid = os.getpid()
        if self._file is not None:
            if self._pid == pid:
                return True
            os.close(self._file)  # the parent's, inherited by fork
        self._pid = pid
        self._stacks = {}
        name = os.path.join(self.directory, f"{pid}-{time.time_ns():x}.jsonl")
        try:
            self._file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError:  # the folder is gone: the run that wanted the record is over
            self._closed = True
            return False
        self._write(f'"kind":"process","format":{FORMAT},"at_s":{self._now()}', {
            "pid": pid, "ppid": os.getppid(), "argv": list(getattr(sys, "argv", [])), "cwd": os.getcwd(),
            "executable": sys.executable, "python": ".".join(map(str, sys.version_info[:3])),
            "parent": _command_of(os.getppid()), "forked": pid != self._first_pid,
        })
        return self._file is not None

    def _write(self, head: str, fields: Dict[str, Any]) -> None:
        """Write one line: its head, which is JSON already, and fields."""
        if self._file is None:
            return
        line = f"{{{head}{_shown(fields)}}}\n".encode()
        self._written += len(line)
        try:
            os.write(self._file, line)
        except OSError:  # a full disk must not end the program under study
            os.close(self._file)
            self._file, self._closed = None, True


def _shown(fields: Dict[str, Any]) -> str:
    """Return fields as the end of an object in JSON, without passwords."""
    text = _as_json(fields)
    return _as_json(_without_passwords(fields)) if _may_hold_a_password(text) else text


def _as_json(fields: Dict[str, Any]) -> str:
    return "".join([f',"{name}":{_value(value)}' for name, value in fields.items()])


def _value(value: Any) -> str:
    """Write a value as JSON. Nearly all are texts or nothing, and the encoder takes long to begin."""
    kind = type(value)
    if kind is str:
        return _quoted(value)
    if value is None or kind is bool:
        return _WORDS[value]
    if kind is list or kind is tuple:
        return f"[{','.join([_value(inner) for inner in value])}]"
    return str(value) if kind is int else _encode(value)


def _may_hold_a_password(text: str) -> bool:
    """Tell whether a text has one of the marks without which nothing looks like a password."""
    text = text.lower()
    return "://" in text or "passw" in text or "pwd" in text


def _without_passwords(value: Any) -> Any:
    """Redact every text in an event."""
    if isinstance(value, str):
        return redact(value) if _may_hold_a_password(value) else value
    if isinstance(value, dict):
        return {key: _without_passwords(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_passwords(inner) for inner in value]
    return value


def _command_of(pid: int) -> Optional[str]:
    """Return the command line of a process; None where the system does not tell."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(2000).replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return None
