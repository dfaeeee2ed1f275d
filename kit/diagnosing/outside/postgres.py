"""A Postgres database: its rows, sequences and objects, and how they are restored.

Each operation has a connection of its own, which is closed at once, so that a test can drop its database.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from kit.diagnosing.outside.clients import Client, connect
from kit.diagnosing.outside.contents import THERE, Contents, Left, Object, Table, differences, within
from kit.diagnosing.outside.definitions import Definition, definitions, objects, quoted, shown, sql
from kit.diagnosing.outside.store import (
    BYTES_AT_MOST,
    ROWS_AT_MOST,
    SECONDS_AT_MOST,
    CannotBeAsked,
    as_far_as_possible,
    check_exact,
)
from kit.probes.identity import POSTGRES_QUESTIONS

_BEGIN = f"""\
set statement_timeout = '{SECONDS_AT_MOST}s';
set lock_timeout = '3s';
set search_path = pg_catalog;
set standard_conforming_strings = on;
set datestyle = iso"""
_OURS = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
_NOT_OF_EXTENSION = "not exists (select from pg_depend d where d.objid = {}.oid and d.deptype = 'e')"
_RELATIONS = f"""\
select n.nspname, c.relname, c.relkind::text, pg_total_relation_size(c.oid)::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where {_OURS} and c.relkind in ('r', 'S') and {_NOT_OF_EXTENSION.format("c")}
order by 1, 2"""
_SETTINGS = """\
select coalesce(quote_ident(r.rolname), ''), coalesce(quote_ident(d.datname), ''), unnest(s.setconfig)
from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole left join pg_database d on d.oid = s.setdatabase
where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))"""

_OWN = "select datname::text from pg_database where datname = {} and pg_get_userbyid(datdba) = current_user"


@dataclass(frozen=True, slots=True)
class Server:
    """The address of a database, and the user to connect as."""

    host: str
    port: str
    user: str
    database: str
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Its URL, without the password."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"


class Postgres:
    """One database of a server. `check` is called on each connection before any other query."""

    def __init__(self, server: Server, check: Callable[[Client], None]) -> None:
        self._server, self._check = server, check

    @property
    def server(self) -> Server:
        """Its address."""
        return self._server

    @property
    def where(self) -> str:
        """The host and port of its server."""
        return f"{self._server.host}:{self._server.port}"

    def mark(self) -> str:
        """Its oid, which distinguishes it from another database of this name; "" when it does not exist."""
        try:
            with self._connected() as client:
                return client.ask("select oid::text from pg_database where datname = current_database()")[0][0]
        except CannotBeAsked:
            return ""

    def look(self) -> Contents:
        """Return its committed contents."""
        with self._connected() as client:
            return _contents(client)

    def word(self) -> dict[str, str | None]:
        """What the server reports about itself; empty if it may not be asked."""
        with self._connected() as client:
            return word_of(client)

    def oid_of(self, kind: str, name: str) -> str:
        """The number of a role or database of the server; "" if there is none."""
        with self._connected() as client:
            return _oid_of(client, kind, name)

    def drop(self, kind: str, name: str, oid: str) -> None:
        """Drop a role or database of the server if it has this number; a database only if this user owns it."""
        with self._connected() as client:
            if not oid or _oid_of(client, kind, name) != oid:
                return
            if kind == "database" and not client.ask(_OWN.format(_text(name))):
                raise CannotBeAsked("another role owns it")
            client.run(f"drop {kind} {quoted(name)}")

    def put_back(self, before: Contents, labels: Collection[str] | None) -> None:
        """Restore the contents in one transaction; if not all can be made again, what was not dropped or altered."""
        as_far_as_possible(lambda is_chosen: self._put_back(before, labels, is_chosen), labels)

    def _put_back(self, before: Contents, labels: Collection[str] | None, is_chosen: Callable[[Left], bool]) -> None:
        with self._connected() as client:
            client.run("begin")
            now = _contents(client)
            wanted = [
                left for left in differences(before, now)
                if left.can_go_back and (labels is None or left.label in labels) and is_chosen(left)
            ]  # fmt: skip
            if wanted:
                _without_triggers(client)
                _until_done(client, [step for left in wanted for step in _steps(client, left, before, now)])
                if any(left.is_made_again or not left.before for left in wanted):
                    _until_done(client, _lost(now, _contents(client), wanted))
                    check_exact(before, now, _contents(client), wanted)
            client.run("commit")

    @contextmanager
    def _connected(self) -> Iterator[Client]:
        with connect(self._server.host, self._server.port, self._server.user, self._server.database,
                     self._server.password) as client:  # fmt: skip
            self._check(client)
            client.run(_BEGIN)
            yield client


def word_of(client: Client) -> dict[str, str | None]:
    """What the server at the other end reports about itself; empty if it may not be asked."""
    for question, names in POSTGRES_QUESTIONS:
        with suppress(CannotBeAsked):
            return dict(zip(names, client.ask(question)[0], strict=True))
    return {}


def _oid_of(client: Client, kind: str, name: str) -> str:
    table, column = ("pg_database", "datname") if kind == "database" else ("pg_roles", "rolname")
    return next((row[0] for row in client.ask(f"select oid::text from {table} where {column} = {_text(name)}")), "")


# --- looking ----------------------------------------------------------------------------------------------------------


def _contents(client: Client) -> Contents:
    relations = client.ask(_RELATIONS)
    size = sum(int(row[3]) for row in relations if row[2] == "r")
    if size > BYTES_AT_MOST:
        raise CannotBeAsked(f"it holds more than {BYTES_AT_MOST // 1_000_000} MB")
    defined = definitions(client)
    tables, sequences = {}, {}
    for schema, relation, kind, _ in relations:
        name = shown(schema, relation)
        if kind == "r":
            tables[name] = _table(client, name, defined[name])
        else:
            sequences[name] = client.ask(f"select last_value || case when is_called then '' else ' (next)' end"
                                         f" from {sql(name)}")[0][0]  # fmt: skip
    settings = {_setting(role, database, text.partition("=")[0]): text.partition("=")[2]
                for role, database, text in client.ask(_SETTINGS)}  # fmt: skip
    return Contents(tables, sequences, objects(client), settings)


def _table(client: Client, name: str, of: Definition) -> Table:
    count = int(client.ask(f"select count(*)::text from only {sql(name)}")[0][0])
    if count > ROWS_AT_MOST:
        digest = client.ask(f"select coalesce(sum(hashtext(kit_row::text)), 0)::text from only {sql(name)} kit_row")
        return Table(None, count, digest[0][0], of.parts, of.made, of.columns, of.numbers)
    rows = tuple(row[0] for row in client.ask(f"select kit_row::text from only {sql(name)} kit_row"))
    digest_of_rows = hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()
    return Table(rows, count, digest_of_rows, of.parts, of.made, of.columns, of.numbers)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _setting(role: str, database: str, name: str) -> str:
    whose = f"role {role}" if role else f"database {database}"
    return f"{name} of {whose}{f' in {database}' if role and database else ''}"


# --- putting back -----------------------------------------------------------------------------------------------------


def _without_triggers(client: Client) -> None:
    """Turn off triggers and foreign key checks for the restoration, if the role may do that."""
    client.run("savepoint kit")
    try:
        client.run("set local session_replication_role = replica")
    except CannotBeAsked:
        client.run("rollback to savepoint kit")


def _until_done(client: Client, steps: list[str]) -> None:
    """Run statements in any order that foreign keys permit: failed ones are retried after the others."""
    while steps:
        left, why = [], None
        for step in steps:
            client.run("savepoint kit")
            try:
                client.run(step)
            except CannotBeAsked as error:
                client.run("rollback to savepoint kit")
                left.append(step)
                why = error
        if len(left) == len(steps) and why is not None:
            raise why
        steps = left


def _lost(before: Contents, after: Contents, wanted: list[Left]) -> list[str]:
    """The statements that make again what was dropped with the restored objects, and was not to be restored itself."""
    mine = {left.name for left in wanted}
    lost = [step for name, table in before.tables.items() if name not in mine and name in after.tables
            for step in table.made if step not in after.tables[name].made and step.startswith("alter table")]
    return [*lost, *(step for name, thing in before.objects.items()
                     if name not in mine and name not in after.objects and thing.table not in mine
                     for step in thing.made)]  # fmt: skip


def _steps(client: Client, left: Left, before: Contents, now: Contents) -> Iterator[str]:
    name = left.name
    if left.kind == "table" and name in before.tables:
        yield from _table_again(name, before) if left.is_made_again else _rows_back(client, name, before.tables[name])
    elif left.kind == "sequence" and THERE not in (left.before, left.after):
        yield _number_back(name, before.sequences[name])
    elif left.kind == "setting":
        yield _setting_back(name, left.before)
    else:
        if left.after:
            yield _drop(name, now.objects.get(name) or Object(left.kind))
        if left.before:
            yield from _object_again(name, before)


def _drop(name: str, thing: Object) -> str:
    if thing.kind == "trigger":
        return f"drop trigger if exists {quoted(name.rpartition('.')[2].partition(' on ')[0])} on {sql(thing.table)}"
    kind = "routine" if thing.kind == "function" else thing.kind
    named = name if kind == "routine" else quoted(name) if kind in ("schema", "extension") else sql(name)
    return f"drop {kind} if exists {named} cascade"


def _table_again(name: str, before: Contents) -> Iterator[str]:
    """Make a table again as it was, with its rows, indexes, triggers and the values of its sequences."""
    table = before.tables[name]
    yield f"drop table if exists {sql(name)} cascade"
    is_key = [step.startswith("alter table") for step in table.made]
    yield from (step for step, after in zip(table.made, is_key, strict=True) if not after)
    yield from _rows_in(name, table.columns, table.rows or ())
    yield from (step for step, after in zip(table.made, is_key, strict=True) if after)
    for thing in before.objects.values():
        if thing.table == name:
            yield from thing.made
    for number in table.numbers:
        if number in before.sequences:
            yield _number_back(number, before.sequences[number])


def _object_again(name: str, before: Contents) -> Iterator[str]:
    """Make an object again as it was; a schema, with all that was in it."""
    thing = before.objects[name]
    yield from thing.made
    if thing.kind == "sequence" and name in before.sequences:
        yield _number_back(name, before.sequences[name])
    for inner in within(name, before) if thing.kind == "schema" else ():
        if inner in before.tables:
            yield from _table_again(inner, before)
        elif not before.objects[inner].table:
            yield from _object_again(inner, before)


def _number_back(name: str, value: str) -> str:
    last, _, following = value.partition(" ")
    return f"select setval({_text(sql(name))}, {last}, {'false' if following else 'true'})"


def _setting_back(name: str, value: str) -> str:
    setting, _, whose = name.partition(" of ")
    change = f"set {setting} = {value or _text('')}" if value else f"reset {setting}"
    role, _, database = whose.partition(" in ")
    return f"alter {role}{f' in database {database}' if database else ''} {change}"


def _rows_back(client: Client, name: str, before: Table) -> Iterator[str]:
    """Delete the rows that were added, and insert those that were removed; all others stay as they are."""
    found = client.ask(f"select ctid::text, kit_row::text from only {sql(name)} kit_row")
    then = Counter(before.rows or ())
    surplus = Counter(row for _, row in found) - then
    gone = list((then - Counter(row for _, row in found)).elements())
    places = []
    for place, row in found:
        if surplus[row] > 0:
            surplus[row] -= 1
            places.append(place)
    if places:
        yield f"delete from only {sql(name)} where ctid = any({_text(_array(places))}::tid[])"
    yield from _rows_in(name, before.columns, gone)


def _rows_in(name: str, columns: Collection[str], rows: Collection[str]) -> Iterator[str]:
    """Insert rows, each given as its text."""
    if rows:
        own = ", ".join(columns)
        each = ", ".join(f"(kit_row).{column}" for column in columns)
        values = ", ".join(f"({_text(row)}::{sql(name)})" for row in rows)
        yield (
            f"insert into {sql(name)} ({own}) overriding system value "
            f"select {each} from (values {values}) kit (kit_row)"
        )


def _array(values: list[str]) -> str:
    return "{" + ",".join(f'"{value}"' for value in values) + "}"
