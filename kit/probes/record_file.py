"""The file of one process's record, which shares its numbers of open files with the program.

A program counts its open files, hands them on, and closes those that it did not open, as every daemon does. So the
record is open only while something is written to it. Threads may do all that meanwhile: a number is written to, or
closed, only after the system has said that it stands for the file that was opened.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

from .own import os
from .own import own_builtins as __builtins__  # noqa: F401

WAITING_AT_MOST = 1024 * 1024  # bytes that are kept while they cannot be written

_FLAGS = (
    os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)


class RecordFile:
    """Lines go to its end, each at once. What cannot be written for now waits; what cannot wait is counted in `lost`.

    `is_gone` says that the file was removed: then nothing is kept, and nothing said.
    """

    def __init__(self, path: str) -> None:
        self.path, self.is_gone, self.lost, self.why = path, False, 0, ""
        self._identity: Optional[Tuple[int, int]] = None
        self._size = 0  # bytes, at least
        self._lines: List[bytes] = []  # that wait; the first may have been written in part
        self._waiting = self._begun = 0  # bytes that wait; bytes of the first line that are written
        self._busy = False

    @property
    def waiting(self) -> bool:
        """Whether there are lines that could not be written yet."""
        return bool(self._lines)

    def append(self, line: bytes) -> bool:
        """Write a line; one that comes in the middle of another is done after it. False where it is lost."""
        if self.is_gone:
            return False
        self._lines.append(line)
        self._waiting += len(line)
        if self._busy:
            return True
        self._busy = True
        try:
            self._write()
        except OSError as error:  # a full disk, a limit: it may be gone by the next line
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
                written = os.write(number, line[self._begun:] if self._begun else line)
                self._size += written
                self._begun += written
                if self._begun >= len(line):
                    self._waiting -= len(self._lines.pop(0))
                    self._begun = 0
        finally:
            if self._is_this(number):
                os.close(number)

    def _is_this(self, number: int) -> bool:
        """Ask the system whether a number is this file's. (A file that was removed can leave its inode to another.)"""
        try:
            status = os.fstat(number)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity and status.st_size >= self._size

    def _opened(self) -> Optional[int]:
        """Open the file by its path, where it is the same; None where it is gone. The first time it is made."""
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
