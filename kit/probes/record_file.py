"""The file that a process writes its record to, safe for programs that manage file descriptors themselves.

A program may count its open descriptors, pass them on, and close those that it did not open (as every daemon does). So
the file is open only during a write. Since other threads may do all that during the write, the descriptor is written to
or closed only after `fstat` has confirmed that it still refers to this file.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

from .own import os, resource
from .own import own_builtins as __builtins__  # noqa: F401

WAITING_AT_MOST = 1024 * 1024  # bytes kept in memory while writing fails
_TOO_LARGE = 27  # EFBIG, on Linux and macOS

_FLAGS = (
    os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)


class RecordFile:
    """Appends lines to a file, each at once. Lines that cannot be written yet are kept; `lost` counts those dropped.

    `is_gone` is true once the file has been removed: from then on, lines are dropped without being counted.
    """

    def __init__(self, path: str) -> None:
        self.path, self.is_gone, self.lost, self.why = path, False, 0, ""
        self._identity: Optional[Tuple[int, int]] = None
        self._size = 0  # bytes, at least
        self._lines: List[bytes] = []  # not written yet; the first may be partly written
        self._waiting = self._begun = 0  # bytes not written yet; bytes written of the first line
        self._busy = False

    @property
    def waiting(self) -> bool:
        """Whether some lines could not be written yet."""
        return bool(self._lines)

    def append(self, line: bytes) -> bool:
        """Write a line; one that arrives during another write is written after it. Return False if the line is lost."""
        if self.is_gone:
            return False
        self._lines.append(line)
        self._waiting += len(line)
        if self._busy:
            return True
        self._busy = True
        try:
            self._write()
        except OSError as error:  # a full disk or a quota: the next line may succeed
            self.why = f"{type(error).__name__}: {error.strerror}"
        finally:
            self._busy = False
        if self._waiting <= WAITING_AT_MOST:
            return True
        self._waiting -= len(self._lines.pop())
        self.lost += 1
        return False

    def _write(self) -> None:
        number = self._opened()
        if number is None:
            return
        try:
            while self._lines and self._is_this(number):
                line = self._lines[0]
                self._heed_the_limit()
                written = os.write(number, line[self._begun:] if self._begun else line)
                self._size += written
                self._begun += written
                if self._begun >= len(line):
                    self._waiting -= len(self._lines.pop(0))
                    self._begun = 0
        finally:
            if self._is_this(number):
                os.close(number)

    def _heed_the_limit(self) -> None:
        """Raise OSError at the program's limit on the size of files (RLIMIT_FSIZE): a write would send a signal."""
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0] if resource is not None else -1
        if 0 <= limit <= self._size:  # up to there a write is only cut short
            raise OSError(_TOO_LARGE, "the program limits the size of its files")

    def _is_this(self, number: int) -> bool:
        """Return whether a descriptor refers to this file. (The inode alone can be that of a newer, shorter file.)"""
        try:
            status = os.fstat(number)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity and status.st_size >= self._size

    def _opened(self) -> Optional[int]:
        """Open the file, creating it the first time. Return None if it was removed or replaced."""
        try:
            number = os.open(self.path, _FLAGS | (os.O_CREAT | os.O_EXCL if self._identity is None else 0), 0o600)
        except (FileNotFoundError, NotADirectoryError):
            self._give_up()
            return None
        if self._identity is None:
            status = os.fstat(number)
            self._identity = status.st_dev, status.st_ino
        elif not self._is_this(number):
            os.close(number)
            self._give_up()
            return None
        return number

    def _give_up(self) -> None:
        self.is_gone = True
        self._lines.clear()
        self._waiting = self._begun = 0
