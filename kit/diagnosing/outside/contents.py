"""The contents of a database at one moment, and the differences at a later moment. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

_VOLATILE = re.compile(r"(?<![0-9])\d{3,}|(?<![0-9a-z])[0-9a-f]{8,}(?![0-9a-z])")


@dataclass(frozen=True, slots=True)
class Table:
    """A table's rows. `rows` is None when there are too many to keep; then count and digest are compared."""

    rows: tuple[Any, ...] | None
    count: int
    digest: str = ""

    def is_as(self, other: Table) -> bool:
        """Whether both hold the same rows, in any order."""
        if self.rows is None or other.rows is None:
            return (self.count, self.digest) == (other.count, other.digest)
        return Counter(self.rows) == Counter(other.rows)


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of a database.

    `tables` and `sequences` (their last values) are keyed by name, with the schema if it is not the default one.
    `objects` are all others that can be created and dropped: {name: schema, view, type ...}. `settings` are those of
    the database and of roles, such as search_path.
    """

    tables: Mapping[str, Table] = field(default_factory=dict)
    sequences: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    def with_new_of(self, later: Contents) -> Contents:
        """These contents, plus the tables, sequences and objects that exist only in `later`."""
        return replace(
            self,
            tables={**later.tables, **self.tables},
            sequences={**later.sequences, **self.sequences},
            objects={**later.objects, **self.objects},
        )


@dataclass(frozen=True, slots=True)
class Left:
    """One difference: `kind` is table, sequence, setting or another kind of object; `before` is "" if it did not exist.

    `can_go_back` is False when the kept contents are not sufficient to restore it.
    """

    kind: str
    name: str
    before: str
    after: str
    can_go_back: bool = True

    @property
    def label(self) -> str:
        """Its kind and name, with parts of the name that vary between runs replaced."""
        return f"{self.kind} {stable(self.name)}"


def stable(name: str) -> str:
    """A name with the parts replaced that vary between runs: process numbers, times, generated identifiers."""
    return _VOLATILE.sub("*", name)


def differences(before: Contents, after: Contents) -> Iterator[Left]:
    """Yield the differences: rows, then sequences, then objects that were created, then settings."""
    yield from _of_tables(before, after)
    for name, value in before.sequences.items():
        if after.sequences.get(name, value) != value:
            yield Left("sequence", name, value, after.sequences[name])
    for name, kind in after.objects.items():
        if name not in before.objects and not _is_in_new_schema(name, before, after):
            yield Left(kind, name, "", "there")
    for name in {**before.settings, **after.settings}:
        if before.settings.get(name) != after.settings.get(name):
            yield Left("setting", name, before.settings.get(name, ""), after.settings.get(name, ""))


def _of_tables(before: Contents, after: Contents) -> Iterator[Left]:
    for name, table in before.tables.items():
        now = after.tables.get(name)
        if now is None:
            yield Left("table", name, _counted(table.count), "", can_go_back=False)
        elif not table.is_as(now):
            can_go_back = table.rows is not None and now.rows is not None
            yield Left("table", name, *_rows_said(table, now), can_go_back)
    for name, table in after.tables.items():
        if name not in before.tables:
            yield Left("table", name, "", _counted(table.count))


def _rows_said(before: Table, after: Table) -> tuple[str, str]:
    if before.count != after.count or before.rows is None or after.rows is None:
        return _counted(before.count), _counted(after.count)
    others = sum((Counter(after.rows) - Counter(before.rows)).values())
    return _counted(before.count), f"{_counted(after.count)}, {others} of them changed"


def _is_in_new_schema(name: str, before: Contents, after: Contents) -> bool:
    schema, dot, _ = name.partition(".")
    return bool(dot) and schema in after.objects and schema not in before.objects


def _counted(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"
