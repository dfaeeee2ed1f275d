"""Read the lines of the probes' files, tolerating whatever a program has done to them.

Events of one process keep the order of their lines; between processes the time decides. An unreadable line is counted,
with its process and the reason, and everything else is kept.
"""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

SUFFIX = ".jsonl"
LINE_BYTES_AT_MOST = 16 * 1024 * 1024
FILE_BYTES_AT_MOST = 1024 * 1024 * 1024

Event = dict[str, Any]


@dataclass
class Unread:
    """The unreadable parts of a record: how many lines of which process, and why."""

    _counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _said: dict[str, None] = field(default_factory=dict)  # in order, without duplicates

    def line(self, process: str, why: str) -> None:
        """Count a line of a process."""
        self._counts[process, why] = self._counts.get((process, why), 0) + 1

    def say(self, sentence: str) -> None:
        """Add a sentence that is not about a single line."""
        self._said[sentence] = None

    def sentences(self) -> tuple[str, ...]:
        """All counts and sentences, as sentences."""
        counted = (
            f"{_lines(count)} of process {number_in(process)}: {why}" for (process, why), count in self._counts.items()
        )
        return (*self._said, *counted)


@dataclass(frozen=True, slots=True)
class ProcessFile:
    """The file of one process: its events in the order of its lines, each with a time to sort by."""

    process: str
    events: tuple[Event, ...]

    @property
    def began_s(self) -> float:
        """The time of its first line, in seconds."""
        return float(self.events[0]["at_s"]) if self.events else 0.0


def read(folder: Path, unread: Unread) -> tuple[ProcessFile, ...]:
    """Read the files of all processes, ordered by the start of the processes."""
    found = [_read_file(path, unread) for path in _files(folder, unread)]
    return tuple(sorted(found, key=lambda file: (file.began_s, file.process)))


def in_order(files: Iterable[ProcessFile]) -> list[tuple[str, Event]]:
    """The events of all processes by time; those of one process in the order of its lines."""
    events = [(file.process, event) for file in files for event in file.events]
    return sorted(events, key=lambda entry: entry[1]["at_s"])


def number_in(process: str) -> str:
    """The process number, from the name of a process's file."""
    return process.partition("-")[0]


def _files(folder: Path, unread: Unread) -> list[Path]:
    """The files that probes can have written; other entries of the folder are reported and not read."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        unread.say(f"the folder of the record cannot be read ({error.strerror}): the program removed or replaced it")
        return []
    found = []
    for path in entries:
        # A pipe would never end, and a link leads out of the folder.
        if path.suffix == SUFFIX and _is_plain(path) and number_in(path.stem).isdecimal():
            found.append(path)
        else:
            unread.say(f"{path.name} in the record's folder was not written by the probes, and was not read")
    return found


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:  # it has just been removed
        return False


def _read_file(path: Path, unread: Unread) -> ProcessFile:
    process, events, at_s = path.stem, [], -math.inf
    try:
        with path.open("rb") as file:
            for line in _lines_of(file, process, unread):
                event = _event(line, process, unread)
                if event is not None:
                    at_s = _set_time(event, at_s, process, unread)
                    events.append(event)
    except OSError as error:
        unread.say(f"the file of process {number_in(process)} cannot be read ({error.strerror})")
    return ProcessFile(process, tuple(events))


def _lines_of(file: IO[bytes], process: str, unread: Unread) -> Iterator[bytes]:
    taken = 0
    while taken < FILE_BYTES_AT_MOST:
        line = file.readline(LINE_BYTES_AT_MOST)
        taken += len(line)
        if not line:
            return
        if len(line) == LINE_BYTES_AT_MOST and not line.endswith(b"\n"):
            taken += _skip_line(file)
            unread.line(process, "longer than any line that the probes write")
        elif line.strip():
            yield line
    if file.read(1):
        unread.say(f"the file of process {number_in(process)} is too large: the rest was not read")


def _skip_line(file: IO[bytes]) -> int:
    """Read on to the end of a line; return the number of bytes."""
    skipped = 0
    while line := file.readline(LINE_BYTES_AT_MOST):
        skipped += len(line)
        if line.endswith(b"\n"):
            break
    return skipped


def _event(line: bytes, process: str, unread: Unread) -> Event | None:
    try:
        found = decoded(line)
    except (ValueError, RecursionError):
        unread.line(process, "not written by the probes" if line.endswith(b"\n") else "cut off")
        return None
    if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
        unread.line(process, "not written by the probes")
        return None
    return found


def decoded(line: bytes) -> Any:
    """The value of a line. Raises ValueError or RecursionError when it has none."""
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # A file name may contain undecodable bytes. They are stored as lone surrogates, which msgspec refuses.
        return as_text(json.loads(line, parse_constant=_refuse))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def as_text(value: Any) -> Any:
    """A copy of the value in which lone surrogates are escape sequences, so that its strings can be encoded."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [as_text(inner) for inner in value]
    if isinstance(value, dict):
        return {as_text(key): as_text(inner) for key, inner in value.items()}
    return value


def _set_time(event: Event, before_s: float, process: str, unread: Unread) -> float:
    """Make the time of an event not earlier than the previous line's, and return the later of both.

    A stack has no time of its own. An event marked `late` keeps the time at which it happened.
    """
    given = event.get("at_s")
    at_s = _finite(given)
    if at_s is None:
        if given is not None or event["kind"] != "stack":
            unread.line(process, "without a time: that of the line above was used")
        at_s = max(before_s, 0.0)
    elif at_s < before_s and event.get("late") is not True:
        unread.line(process, "back in time: the order of the lines was used")
        at_s = before_s
    event["at_s"] = at_s
    return max(at_s, before_s)


def _finite(given: Any) -> float | None:
    if type(given) is float:  # nearly always
        return given if math.isfinite(given) else None
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    try:
        at_s = float(given)
    except OverflowError:
        return None
    return at_s if math.isfinite(at_s) else None


def _lines(count: int) -> str:
    return "a line" if count == 1 else f"{count} lines"

