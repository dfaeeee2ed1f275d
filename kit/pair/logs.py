"""The second witness: the servers' own logs of connections and statements."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal

from kit.errors import PairError

LineKind = Literal["connection", "disconnection", "statement", "error", "other"]

POLL_S = 0.01
WHOLE_S = 1.0

# The format of settings.LOG_PREFIX. An entry begins with a time; its continuation lines begin with a tab.
_ENTRY = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) UTC\t(?P<pid>\d+)\t(?P<application>[^\t]*)\t(?P<user>[^\t]*)\t"
    r"(?P<database>[^\t]*)\t(?P<level>[A-Z0-9]+):  (?P<text>.*)",
    re.DOTALL,
)
_BEGINNING = re.compile(rb"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC\t", re.MULTILINE)
# Parts of the previous entry, which the server writes together with it.
_PARTS = frozenset({"DETAIL", "HINT", "CONTEXT", "QUERY", "STATEMENT", "LOCATION", "BACKTRACE"})
_FAILURES = frozenset({"ERROR", "FATAL", "PANIC"})
_STATEMENT = re.compile(r"(?:statement|execute [^:]*|fastpath function call): (?P<sql>.*)", re.DOTALL)
_AUTHORIZED = re.compile(
    r"connection authorized: user=(?P<user>.*?) database=(?P<database>.*?)(?: application_name=(?P<application>.*?))?"
    r"(?: SSL enabled .*| GSS .*)?$",
    re.DOTALL,
)
_UNKNOWN = "[unknown]"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One entry of a server's log, which may span several lines.

    `at` is when the server wrote it, in UTC to the millisecond; `pid` is the backend, as in Identity.backend_pid;
    `application`, `user` and `database` are empty as long as the server does not know them. `kind` is "connection" when
    a client was authorized, "statement" for SQL (then `text` is the SQL alone), "error" for what the server refused.
    """

    at: datetime
    pid: int
    application: str
    user: str
    database: str
    kind: LineKind
    text: str


class ServerLog:
    """A server's log file, read by byte positions while the server appends to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def position(self) -> int:
        """The present end of the log, in bytes. A statement is logged before the client gets its answer."""
        try:
            return os.stat(self.path).st_size
        except OSError as error:
            raise self._unreadable(error) from error

    def read(self, start: int = 0, end: int | None = None) -> tuple[LogLine, ...]:
        """The entries that begin at byte `start` or later and before `end` (None: the present end of the log)."""
        try:
            content = self._whole_entries(start)
        except OSError as error:
            raise self._unreadable(error) from error
        return parse(content, None if end is None else end - start)

    def _whole_entries(self, start: int) -> bytes:
        """The log from `start`, after waiting for an entry that is just being written."""
        deadline = time.monotonic() + WHOLE_S
        while True:
            with open(self.path, "rb") as file:
                file.seek(start)
                content = file.read()
            if not content or content.endswith(b"\n") or time.monotonic() > deadline:
                return content
            time.sleep(POLL_S)

    def _unreadable(self, error: OSError) -> PairError:
        return PairError(
            f"cannot read the server's log {self.path}: {error.strerror}",
            remedy="check that its pair is up (kit status)",
        )


def parse(content: bytes, end: int | None = None) -> tuple[LogLine, ...]:
    """The entries in a piece of a log that begin before byte `end` (None: all of them).

    Text before the first entry, and lines that are not an entry, are left out.
    """
    found: list[LogLine] = []
    for start, entry in _entries(content):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            continue
        if match["level"] in _PARTS:
            if found:
                found[-1] = _with_part(found[-1], f"{match['level']}:  {_unindented(match['text'])}")
        elif end is None or start < end:
            found.append(_line(match))
        else:
            break
    return tuple(found)


def _entries(content: bytes) -> Iterator[tuple[int, str]]:
    starts = [match.start() for match in _BEGINNING.finditer(content)]
    for start, end in pairwise([*starts, len(content)]):
        yield start, content[start:end].decode("utf-8", errors="replace").removesuffix("\n")


def _line(match: re.Match[str]) -> LogLine:
    text = _unindented(match["text"])
    user, database, application = (_known(match[name]) for name in ("user", "database", "application"))
    kind: LineKind = "other"
    if match["level"] in _FAILURES:
        kind, text = "error", f"{match['level']}:  {text}"
    elif authorized := _AUTHORIZED.match(text):
        # The name in the text is used: the connection's own settings are not in force yet.
        kind, application = "connection", authorized["application"] or application
    elif text.startswith("disconnection: "):
        kind = "disconnection"
    elif statement := _STATEMENT.match(text):
        kind, text = "statement", statement["sql"]
    at = datetime.fromisoformat(match["at"]).replace(tzinfo=UTC)
    return LogLine(at, int(match["pid"]), application, user, database, kind, text)


def _with_part(line: LogLine, part: str) -> LogLine:
    if line.kind == "statement":
        return line  # the text of a statement is the SQL alone
    return LogLine(line.at, line.pid, line.application, line.user, line.database, line.kind, f"{line.text}\n{part}")


def _unindented(text: str) -> str:
    return text.replace("\n\t", "\n")


def _known(word: str) -> str:
    return "" if word == _UNKNOWN else word
