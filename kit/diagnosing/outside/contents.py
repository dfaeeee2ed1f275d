"""What a database holds at one moment, and what differs from it later. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

_VOLATILE = re.compile(r"(?<![0-9])\d{3,}|(?<![0-9a-z])[0-9a-f]{8,}(?![0-9a-z])")


@dataclass(frozen=True, slots=True)
class Table:
    """A table's rows; None where they are too many to be kept: then their number and a digest tell a change."""

    rows: tuple[Any, ...] | None
    count: int
    digest: str = ""

    def is_as(self, other: Table) -> bool:
        """Tell whether both hold the same rows, in whatever order."""
        if self.rows is None or other.rows is None:
            return (self.count, self.digest) == (other.count, other.digest)
        return Counter(self.rows) == Counter(other.rows)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds.

    `tables` are by their name with their schema, where that is not the usual one; `sequences` have their last value.
    `objects` are all else that can be made and dropped: what each is (schema, view, type ...), by its name.
    `settings` are those of the database and of roles, such as their search_path.
    """

    tables: Mapping[str, Table] = field(default_factory=dict)
    sequences: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    def with_new_of(self, later: Contents) -> Contents:
        """The same with the tables, sequences and objects that are there later only, as they are then."""
        return replace(
            self,
            tables={**later.tables, **self.tables},
            sequences={**later.sequences, **self.sequences},
            objects={**later.objects, **self.objects},
        )


@dataclass(frozen=True, slots=True)
class Left:
    """One thing that differs: `kind` is table, sequence, setting, or what else was made; `before` "" where it was not.

    `can_go_back` is False where the contents do not hold what it takes.
    """

    kind: str
    name: str
    before: str
    after: str
    can_go_back: bool = True

    @property
    def label(self) -> str:
        """What it is called, whatever number a run has put into its name."""
        return f"{self.kind} {stable(self.name)}"


def stable(name: str) -> str:
    """A name without what is another in each run: the number of a process, a moment, an identifier made up."""
    return _VOLATILE.sub("*", name)


def differences(before: Contents, after: Contents) -> Iterator[Left]:
    """Give what differs: rows first, then what numbers them, then what was made or dropped."""
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
