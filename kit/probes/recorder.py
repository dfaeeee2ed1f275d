"""What the probes saw, as it is written down: one line of JSON an event, one file a process.

A line is written at once and whole, so that a process which is killed leaves everything up to that moment.
Stacks, which repeat, are written once (`{"kind": "stack", "id": n, "frames": [...]}`) and named by number.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any, Dict, Optional

from .context import CURRENT
from .frames import Stack, application_stack

FORMAT = 1  # 1: first


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
        self._pid = 0
        self._clock_offset_s = time.time() - time.perf_counter() - epoch

    def event(self, kind: str, *, stack: Optional[Stack] = None, **fields: Any) -> None:
        """Write one event, with the time, the test under way, and the application's frames that led to it."""
        if stack is None:
            stack = application_stack()
        with self._lock:
            self._open()
            number = self._number_of(stack)
            self._write({
                "kind": kind, "at_s": self.now_s(), "stack": number, **CURRENT.fields(), **fields,
            })

    def plain(self, kind: str, **fields: Any) -> None:
        """Write one event that nobody's code led to: a header, a count, an end."""
        with self._lock:
            self._open()
            self._write({"kind": kind, "at_s": self.now_s(), **fields})

    def now_s(self) -> float:
        return round(time.perf_counter() + self._clock_offset_s, 6)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _number_of(self, stack: Stack) -> int:
        number = self._stacks.get(stack)
        if number is None:
            number = self._stacks[stack] = len(self._stacks)
            self._write({"kind": "stack", "id": number, "frames": stack})
        return number

    def _open(self) -> None:
        if self._file is not None and self._pid == os.getpid():
            return
        if self._file is not None:  # the parent's, inherited by fork
            os.close(self._file)
        self._pid = os.getpid()
        self._stacks = {}
        name = os.path.join(self.directory, f"{self._pid}-{time.time_ns():x}.jsonl")
        self._file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
        self._write({
            "kind": "process", "format": FORMAT, "at_s": self.now_s(), "pid": self._pid, "ppid": os.getppid(),
            "argv": list(getattr(sys, "argv", [])), "cwd": os.getcwd(), "executable": sys.executable,
            "python": ".".join(map(str, sys.version_info[:3])), "parent": _command_of(os.getppid()),
        })

    def _write(self, event: Dict[str, Any]) -> None:
        if self._file is not None:
            os.write(self._file, (json.dumps(event, separators=(",", ":"), default=repr) + "\n").encode())


def _command_of(pid: int) -> Optional[str]:
    """Return the command line of a process; None where the system does not tell."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(2000).replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return None
