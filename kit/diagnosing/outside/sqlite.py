"""A SQLite file: its rows, and how they are restored while the program may have it open."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kit.diagnosing.outside.contents import Contents, Left, Table, differences
from kit.diagnosing.outside.store import BYTES_AT_MOST, ROWS_AT_MOST, CannotBeAsked

Step = tuple[str, tuple[Any, ...]]  # a statement and its parameters

_WAITS_S = 3.0
_NUMBERS = "sqlite_sequence"  # the table with the last values of AUTOINCREMENT


class SqliteFile:
    """A SQLite file, which need not exist."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def look(self) -> Contents:
        """Return its committed contents; empty when there is no such file."""
        if not self._path.is_file() or self._path.stat().st_size == 0:
            return Contents()
        if self._path.stat().st_size > BYTES_AT_MOST:
            raise CannotBeAsked(f"it holds more than {BYTES_AT_MOST // 1_000_000} MB")
        with self._open("ro") as connection:
            return _contents(connection)

    def put_back(self, before: Contents, labels: Collection[str] | None) -> None:
        """Restore tables in one transaction."""
        if not self._path.is_file():
            return
        with self._open("rw") as connection:
            connection.execute("pragma foreign_keys = off")
            connection.execute("begin immediate")
            for sql, values in _steps(connection, before, labels):
                connection.execute(sql, values)
            connection.execute("commit")

    def steps(self, before: Contents, labels: Collection[str] | None) -> list[Step]:
        """Return the statements that restore it, each with its parameters."""
        with self._open("ro") as connection:
            return list(_steps(connection, before, labels))

    @contextmanager
    def _open(self, mode: str) -> Iterator[sqlite3.Connection]:
        try:
            url = f"file:{quote(str(self._path))}?mode={mode}"
            with closing(sqlite3.connect(url, uri=True, timeout=_WAITS_S, isolation_level=None)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise CannotBeAsked(f"{type(error).__name__}: {error}") from None


def _contents(connection: sqlite3.Connection) -> Contents:
    names = [name for name in _names(connection, "table") if not name.startswith("sqlite_") or name == _NUMBERS]
    tables = {name: _table(connection, name) for name in names if name != _NUMBERS}
    sequences = {}
    if _NUMBERS in names:
        sequences = {str(name): str(last) for name, last in connection.execute(f"select name, seq from {_NUMBERS}")}
    objects = {name: kind for kind in ("view", "trigger") for name in _names(connection, kind)}
    return Contents(tables, {name: sequences.get(name, "0") for name in tables} if sequences else {}, objects)


def _names(connection: sqlite3.Connection, kind: str) -> list[str]:
    """The names of objects of one kind, without virtual tables and their shadow tables."""
    found = connection.execute("select name, sql from sqlite_master where type = ? order by name", [kind]).fetchall()
    virtual = tuple(f"{name}_" for name, sql in found if (sql or "").lower().startswith("create virtual"))
    return [
        name for name, _ in found
        if not (virtual and (name.startswith(virtual) or f"{name}_" in virtual))
    ]  # fmt: skip


def _table(connection: sqlite3.Connection, name: str) -> Table:
    count = connection.execute(f"select count(*) from {_quoted(name)}").fetchone()[0]
    if count > ROWS_AT_MOST:
        return Table(None, count)
    columns = ", ".join(_columns(connection, name))
    return Table(tuple(connection.execute(f"select {columns} from {_quoted(name)}")), count)


def _columns(connection: sqlite3.Connection, name: str) -> list[str]:
    """The columns that identify a row: rowid if the table has one, and those that can be written."""
    rows = connection.execute(f"pragma table_xinfo({_quoted(name)})").fetchall()
    own = [_quoted(row[1]) for row in rows if row[6] == 0]
    sql = connection.execute("select sql from sqlite_master where name = ?", [name]).fetchone()[0] or ""
    return own if "without rowid" in sql.lower() or any(row[1].lower() == "rowid" for row in rows) else ["rowid", *own]


def _steps(connection: sqlite3.Connection, before: Contents, labels: Collection[str] | None) -> Iterator[Step]:
    for left in list(differences(before, _contents(connection))):
        if left.can_go_back and (labels is None or left.label in labels):
            yield from _back(connection, left, before)


def _back(connection: sqlite3.Connection, left: Left, before: Contents) -> Iterator[Step]:
    name = left.name
    if left.kind == "sequence":
        yield f"delete from {_NUMBERS} where name = ?", (name,)
        if before.sequences[name] != "0":
            yield f"insert into {_NUMBERS} values (?, ?)", (name, int(before.sequences[name]))
    elif name not in before.tables:
        yield f"drop {left.kind} if exists {_quoted(name)}", ()
    else:
        yield from _rows_back(connection, name, before.tables[name])


def _rows_back(connection: sqlite3.Connection, name: str, before: Table) -> Iterator[Step]:
    """Delete the rows that were added, and insert those that were removed; all others stay as they are."""
    columns = _columns(connection, name)
    now, then = Counter(_table(connection, name).rows or ()), Counter(before.rows or ())
    where = " and ".join(f"{column} is ?" for column in columns)
    for row in (now - then).elements():
        yield f"delete from {_quoted(name)} where {where}", row
    marks = ", ".join("?" * len(columns))
    for row in (then - now).elements():
        yield f"insert into {_quoted(name)} ({', '.join(columns)}) values ({marks})", row


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
