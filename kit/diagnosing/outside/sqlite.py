"""A SQLite file: its rows, and how they are restored while the program may have it open."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kit.diagnosing.outside.contents import Contents, Left, Object, Table, differences
from kit.diagnosing.outside.store import BYTES_AT_MOST, ROWS_AT_MOST, CannotBeAsked, as_far_as_possible, check_exact

Step = tuple[str, tuple[Any, ...]]  # a statement and its parameters

_WAITS_S = 3.0
_SETTINGS = ("user_version", "application_id")  # numbers in the file that a program sets by PRAGMA
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
        """Restore the contents in one transaction; if not all can be made again, what was not dropped or altered."""
        if not self._path.is_file():
            return
        as_far_as_possible(lambda is_chosen: self._put_back(before, labels, is_chosen), labels)

    def _put_back(self, before: Contents, labels: Collection[str] | None, is_chosen: Callable[[Left], bool]) -> None:
        with self._open("rw") as connection:
            connection.execute("pragma foreign_keys = off")
            connection.execute("begin immediate")
            _put_back(connection, before, labels, is_chosen)
            connection.execute("commit")

    def steps(self, before: Contents, labels: Collection[str] | None) -> list[Step]:
        """Return the statements that restore it, each with its parameters; none if they would change more than that."""
        with self._open("rw") as connection:
            connection.execute("begin")
            try:
                return _put_back(connection, before, labels, lambda left: True)
            except (CannotBeAsked, sqlite3.Error):
                return []
            finally:
                connection.execute("rollback")

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
    made = "select name, type, sql, tbl_name from sqlite_master where sql is not null"
    defined = {name: Object(kind, (sql,), "" if kind == "view" else table)
               for name, kind, sql, table in connection.execute(made) if kind != "table"}  # fmt: skip
    objects = {name: defined[name] for kind in ("view", "index", "trigger") for name in _names(connection, kind)
               if name in defined}  # fmt: skip
    numbers = {name: connection.execute(f"pragma {name}").fetchone()[0] for name in _SETTINGS}
    settings = {name: str(number) for name, number in numbers.items() if number}
    return Contents(tables, {name: sequences.get(name, "0") for name in tables} if sequences else {}, objects, settings)


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
    found = connection.execute(f"pragma table_xinfo({_quoted(name)})").fetchall()
    (sql,) = connection.execute("select sql from sqlite_master where name = ?", [name]).fetchone()
    parts = tuple(_column_said(*row[1:5]) for row in found)
    columns = tuple(_columns(connection, name))
    if count > ROWS_AT_MOST:
        return Table(None, count, "", parts, (sql,), columns)
    rows = tuple(connection.execute(f"select {', '.join(columns)} from {_quoted(name)}"))
    return Table(rows, count, "", parts, (sql,), columns)


def _column_said(name: str, kind: str, is_required: int, default: str | None) -> str:
    required, given = " not null" if is_required else "", f" default {default}" if default is not None else ""
    return f"{name} {kind}".strip() + given + required


def _columns(connection: sqlite3.Connection, name: str) -> list[str]:
    """The columns that identify a row: rowid if the table has one, and those that can be written."""
    rows = connection.execute(f"pragma table_xinfo({_quoted(name)})").fetchall()
    own = [_quoted(row[1]) for row in rows if row[6] == 0]
    sql = connection.execute("select sql from sqlite_master where name = ?", [name]).fetchone()[0] or ""
    return own if "without rowid" in sql.lower() or any(row[1].lower() == "rowid" for row in rows) else ["rowid", *own]


def _put_back(
    connection: sqlite3.Connection, before: Contents, labels: Collection[str] | None, is_chosen: Callable[[Left], bool]
) -> list[Step]:
    """Restore within an open transaction, and return the statements. Raises CannotBeAsked if more would change."""
    now = _contents(connection)
    wanted = [left for left in differences(before, now)
              if left.can_go_back and (labels is None or left.label in labels) and is_chosen(left)]  # fmt: skip
    steps = [step for left in wanted for step in _back(connection, left, before)]
    for sql, values in steps:
        connection.execute(sql, values)
    if any(left.is_made_again for left in wanted):
        check_exact(before, now, _contents(connection), wanted)
    return steps


def _back(connection: sqlite3.Connection, left: Left, before: Contents) -> Iterator[Step]:
    name = left.name
    if left.kind == "sequence":
        yield from _number_back(name, before)
    elif left.kind == "setting":
        yield f"pragma {name} = {int(left.before or 0)}", ()
    elif left.kind == "table" and name in before.tables and not left.is_made_again:
        yield from _rows_back(connection, name, before.tables[name])
    else:
        yield f"drop {left.kind} if exists {_quoted(name)}", ()
        if left.kind == "table" and left.before:
            yield from _table_again(name, before)
        elif left.before:
            yield from ((sql, ()) for sql in before.objects[name].made)


def _table_again(name: str, before: Contents) -> Iterator[Step]:
    """Make a table again as it was, with its rows, indexes, triggers and the last value of its AUTOINCREMENT."""
    table = before.tables[name]
    yield from ((sql, ()) for sql in table.made)
    yield from _rows_in(name, table.columns, table.rows or ())
    yield from ((sql, ()) for thing in before.objects.values() if thing.table == name for sql in thing.made)
    if before.sequences.get(name, "0") != "0":
        yield from _number_back(name, before)


def _number_back(name: str, before: Contents) -> Iterator[Step]:
    yield f"delete from {_NUMBERS} where name = ?", (name,)
    if before.sequences[name] != "0":
        yield f"insert into {_NUMBERS} values (?, ?)", (name, int(before.sequences[name]))


def _rows_back(connection: sqlite3.Connection, name: str, before: Table) -> Iterator[Step]:
    """Delete the rows that were added, and insert those that were removed; all others stay as they are."""
    columns = _columns(connection, name)
    now, then = Counter(_table(connection, name).rows or ()), Counter(before.rows or ())
    where = " and ".join(f"{column} is ?" for column in columns)
    for row in (now - then).elements():
        yield f"delete from {_quoted(name)} where {where}", row
    yield from _rows_in(name, columns, list((then - now).elements()))


def _rows_in(name: str, columns: Collection[str], rows: Collection[tuple[Any, ...]]) -> Iterator[Step]:
    marks = ", ".join("?" * len(columns))
    for row in rows:
        yield f"insert into {_quoted(name)} ({', '.join(columns)}) values ({marks})", row


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
