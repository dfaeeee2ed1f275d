"""The contents of a database at one moment, and the differences at a later moment. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kit.probes.stable import stable

ALTERED = "altered: "  # begins the description of a table whose columns or constraints changed
THERE, REPLACED = "there", "replaced by another"  # of an object


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `rows` is None when there are too many to keep; then count and digest are compared.

    `parts` are its columns and constraints, each as a text. `made` are the statements that make it again, empty if the
    kit cannot do that; `columns` are those that an INSERT can name, and `numbers` the sequences that it owns.
    """

    rows: tuple[Any, ...] | None
    count: int
    digest: str = ""
    parts: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()

    @property
    def can_be_made(self) -> bool:
        """Whether it can be made again with its rows."""
        return bool(self.made) and self.rows is not None

    def is_defined_as(self, other: Table) -> bool:
        """Whether both have the same columns and constraints."""
        return self.parts == other.parts and (self.made == other.made or not (self.made and other.made))

    def has_rows_of(self, other: Table) -> bool:
        """Whether both hold the same rows, in any order."""
        if self.rows is None or other.rows is None:
            return (self.count, self.digest) == (other.count, other.digest)
        return Counter(self.rows) == Counter(other.rows)


@dataclass(frozen=True, slots=True)
class Object:
    """A schema, view, index or the like. `made` are the statements that make it again, empty if the kit cannot do that.

    `table` is the table that it belongs to and is dropped with, "" for none.
    """

    kind: str
    made: tuple[str, ...] = ()
    table: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of a database.

    `tables` and `sequences` (their last values) are keyed by name, with the schema if it is not the default one.
    `objects` are all others that can be created and dropped. `settings` are those of the database and of roles, such as
    search_path.
    """

    tables: Mapping[str, Table] = field(default_factory=dict)
    sequences: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, Object] = field(default_factory=dict)
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

    @property
    def is_made_again(self) -> bool:
        """Whether its restoration makes something again that was dropped or altered."""
        if self.kind == "table":
            return not self.after or self.after.startswith(ALTERED)
        return self.before == THERE


def differences(before: Contents, after: Contents) -> Iterator[Left]:
    """Yield the differences: tables, then sequences, then other objects, then settings."""
    yield from _of_tables(before, after)
    for name, value in before.sequences.items():
        if after.sequences.get(name, value) != value:
            yield Left("sequence", name, value, after.sequences[name])
    yield from _of_objects(before, after)
    for name in {**before.settings, **after.settings}:
        if before.settings.get(name) != after.settings.get(name):
            yield Left("setting", name, before.settings.get(name, ""), after.settings.get(name, ""))


def _of_tables(before: Contents, after: Contents) -> Iterator[Left]:
    for name, table in before.tables.items():
        now = after.tables.get(name)
        if now is None:
            if not _is_in_new_schema(name, after, before):
                yield Left("table", name, _counted(table.count), "", table.can_be_made)
        elif not table.is_defined_as(now):
            yield Left("table", name, _counted(table.count), _altered(table, now), table.can_be_made)
        elif not table.has_rows_of(now):
            can_go_back = table.rows is not None and now.rows is not None
            yield Left("table", name, *_rows_said(table, now), can_go_back)
    for name, table in after.tables.items():
        if name not in before.tables:
            yield Left("table", name, "", _counted(table.count))


def _altered(before: Table, after: Table) -> str:
    come = [f"with {part}" for part in after.parts if part not in before.parts]
    gone = [f"without {part}" for part in before.parts if part not in after.parts]
    return f"{ALTERED}{', '.join([*come, *gone]) or 'defined otherwise'}"


def _of_objects(before: Contents, after: Contents) -> Iterator[Left]:
    """Yield what was created, dropped or replaced, except what belongs to a table or schema that was, too."""
    for name, thing in after.objects.items():
        then = before.objects.get(name)
        if then is None:
            if not (_is_in_new_schema(name, before, after) or _is_of_other_table(thing, before, after)):
                yield Left(thing.kind, name, "", THERE)
        elif then.made and thing.made and then.made != thing.made and not _is_of_other_table(thing, before, after):
            yield Left(thing.kind, name, THERE, REPLACED)
    for name, thing in before.objects.items():
        if name not in after.objects and not (
            _is_in_new_schema(name, after, before) or _is_of_other_table(thing, before, after)
        ):
            yield Left(thing.kind, name, THERE, "", _can_be_made(name, before))


def _is_of_other_table(thing: Object, before: Contents, after: Contents) -> bool:
    """Whether the table that an object belongs to was itself created, dropped or altered."""
    then, now = before.tables.get(thing.table), after.tables.get(thing.table)
    return bool(thing.table) and (then is None or now is None or not then.is_defined_as(now))


def _can_be_made(name: str, before: Contents) -> bool:
    """Whether an object can be made again; a schema, with all that was in it."""
    thing = before.objects[name]
    inner = within(name, before) if thing.kind == "schema" else ()
    return bool(thing.made) and all(
        before.tables[one].can_be_made if one in before.tables else bool(before.objects[one].made) for one in inner
    )


def within(schema: str, contents: Contents) -> list[str]:
    """The names of the tables and objects in a schema."""
    return [name for name in (*contents.tables, *contents.objects) if name.startswith(f"{schema}.")]


def _rows_said(before: Table, after: Table) -> tuple[str, str]:
    if before.count != after.count or before.rows is None or after.rows is None:
        return _counted(before.count), _counted(after.count)
    others = sum((Counter(after.rows) - Counter(before.rows)).values())
    return _counted(before.count), f"{_counted(after.count)}, {others} of them changed"


def _is_in_new_schema(name: str, before: Contents, after: Contents) -> bool:
    """Whether a name is in a schema that only `after` has."""
    schema, dot, _ = name.partition(".")
    return bool(dot) and schema in after.objects and schema not in before.objects


def _counted(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"
