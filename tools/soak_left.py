"""Which processes, folders and shared memory does a load test leave behind? Only its own are counted."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from soak_rows import Row

_PROC, _SHARED_MEMORY = Path("/proc"), Path("/dev/shm")
_MARK = "KIT_SOAK"
_SEGMENT = re.compile(rb"/dev/shm/(PostgreSQL\.\d+)")
_LOOKS_S = 1.0
_GONE_WITHIN_S = 20.0  # processes that exit by themselves may be slow on a busy machine


class Place:
    """The folders of a load test, in which everything that it starts keeps its files, and a watch on its processes."""

    def __init__(self, data: Path | None = None, limit_s: float = float("inf")) -> None:
        self._over = time.monotonic() + limit_s
        self.mark = f"{_MARK}={secrets.token_hex(8)}"
        base = data or (_SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir()))
        self.data = Path(tempfile.mkdtemp(prefix="kit-load-", dir=base))
        self.data.chmod(0o755)  # the servers' user must be able to pass through it
        self.folder = Path(tempfile.mkdtemp(prefix="kit-load-"))
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.segments: set[str] = set()
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    @property
    def environ(self) -> dict[str, str]:
        """The variables of all processes started here."""
        name, _, value = self.mark.partition("=")
        kept = {key: text for key, text in os.environ.items() if not key.startswith("KIT_")}
        state = str(self.folder / "state")
        own = {"TMPDIR": str(self.temporary), "KIT_STATE_DIR": state, "KIT_DATA_DIR": str(self.data)}
        return {**kept, **own, name: value}

    @property
    def is_over(self) -> bool:
        """Whether the time for this load is over; it then reports the repetitions done."""
        return time.monotonic() > self._over

    def left(self, what: str, times: int) -> Row:
        """Wait until nothing is left, for a limited time; report what is."""
        deadline = time.monotonic() + _GONE_WITHIN_S
        while (found := self._left()) and time.monotonic() < deadline:
            time.sleep(_LOOKS_S)
        return Row(f"{what}: left behind", times, "nothing", "; ".join(found) or "nothing", not found)

    def _left(self) -> list[str]:
        processes = [f"process {pid}: {command}" for pid, command in self.processes()]
        folders = [str(path) for folder in (self.temporary, self.data) for path in sorted(folder.iterdir())]
        segments = sorted(name for name in self.segments if (_SHARED_MEMORY / name).exists())
        return [*processes, *folders, *segments]

    def processes(self) -> Iterator[tuple[int, str]]:
        """The processes that were started from here, except this one."""
        mark, data = self.mark.encode(), os.fsencode(self.data)
        for name in os.listdir(_PROC) if _PROC.is_dir() else ():
            if name.isdigit() and int(name) != os.getpid():
                with suppress(OSError):  # it has exited, or is another user's
                    command = (_PROC / name / "cmdline").read_bytes()
                    if data in command or mark in (_PROC / name / "environ").read_bytes().split(b"\0"):
                        yield int(name), command.replace(b"\0", b" ").decode(errors="replace").strip()

    def close(self) -> None:
        """Stop the watch and remove the folders."""
        self._ended.set()
        self._watching.join()
        for folder in (self.folder, self.data):
            shutil.rmtree(folder, ignore_errors=True)

    def _watch(self) -> None:
        while not self._ended.wait(_LOOKS_S):
            for pid, _ in self.processes():
                with suppress(OSError):
                    maps = (_PROC / str(pid) / "maps").read_bytes()
                    self.segments |= {name.decode() for name in _SEGMENT.findall(maps)}


@contextmanager
def place(data: Path | None = None, limit_s: float = float("inf")) -> Iterator[Place]:
    """A Place for a load test; this process uses its folders and variables, too, during the block.

    `data` is the parent folder of the servers' data; None is /dev/shm.
    """
    found = Place(data, limit_s)
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(found.environ)
    tempfile.tempdir = None
    try:
        yield found
    finally:
        os.environ.clear()
        os.environ.update(before)
        tempfile.tempdir = None
        found.close()
