"""A Postgres database: its rows, sequences and objects, and how they are restored.

Each operation has a connection of its own, which is closed at once, so that a test can drop its database.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kit.diagnosing.outside.clients import Client, connect
from kit.diagnosing.outside.contents import Contents, Left, Table, differences
from kit.diagnosing.outside.store import BYTES_AT_MOST, ROWS_AT_MOST, SECONDS_AT_MOST, CannotBeAsked

_BEGIN = f"""\
set statement_timeout = '{SECONDS_AT_MOST}s';
set lock_timeout = '3s';
set search_path = pg_catalog;
set standard_conforming_strings = on;
set datestyle = iso"""
_OURS = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
_NOT_OF_EXTENSION = "not exists (select from pg_depend d where d.objid = {}.oid and d.deptype = 'e')"
_RELATIONS = f"""\
select n.nspname, c.relname, c.relkind::text, pg_total_relation_size(c.oid)::text,
       coalesce((select d.deptype::text from pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i')
                 and d.classid = 'pg_class'::regclass limit 1), '')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where {_OURS} and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and {_NOT_OF_EXTENSION.format("c")}
order by 1, 2"""
_OTHERS = f"""\
select n.nspname, 'schema', '' from pg_namespace n where {_OURS} and {_NOT_OF_EXTENSION.format("n")}
union all
select n.nspname, 'type', t.typname from pg_type t join pg_namespace n on n.oid = t.typnamespace
where {_OURS} and t.typtype in ('e', 'd', 'r') and {_NOT_OF_EXTENSION.format("t")}
union all
select n.nspname, 'function', p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where {_OURS} and p.prokind in ('f', 'p') and {_NOT_OF_EXTENSION.format("p")}"""
_SETTINGS = """\
select coalesce(quote_ident(r.rolname), ''), coalesce(quote_ident(d.datname), ''), unnest(s.setconfig)
from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole left join pg_database d on d.oid = s.setdatabase
where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))"""
_KINDS = {"v": "view", "m": "materialized view", "f": "foreign table", "S": "sequence", "p": "table", "r": "table"}


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

    def put_back(self, before: Contents, labels: Collection[str] | None) -> None:
        """Restore the contents in one transaction."""
        with self._connected() as client:
            client.run("begin")
            wanted = [
                left for left in differences(before, _contents(client))
                if left.can_go_back and (labels is None or left.label in labels)
            ]  # fmt: skip
            if wanted:
                _without_triggers(client)
                _until_done(client, [step for left in wanted for step in _steps(client, left, before)])
            client.run("commit")

    @contextmanager
    def _connected(self) -> Iterator[Client]:
        with connect(self._server.host, self._server.port, self._server.user, self._server.database,
                     self._server.password) as client:  # fmt: skip
            self._check(client)
            client.run(_BEGIN)
            yield client


# --- looking ----------------------------------------------------------------------------------------------------------


def _contents(client: Client) -> Contents:
    relations = client.ask(_RELATIONS)
    size = sum(int(row[3]) for row in relations if row[2] == "r")
    if size > BYTES_AT_MOST:
        raise CannotBeAsked(f"it holds more than {BYTES_AT_MOST // 1_000_000} MB")
    tables, sequences, objects = {}, {}, {}
    for schema, relation, kind, _, owned in relations:
        name = _shown(schema, relation)
        if kind == "r":
            tables[name] = _table(client, name)
        elif kind == "S":
            sequences[name] = client.ask(f"select last_value || case when is_called then '' else ' (next)' end"
                                         f" from {_sql(name)}")[0][0]  # fmt: skip
        if kind not in "rS" or (kind == "S" and not owned):
            objects[name] = _KINDS[kind]
    for schema, kind, other in client.ask(_OTHERS):
        name = schema if kind == "schema" else other if kind == "function" else _shown(schema, other)
        objects[name] = kind
    settings = {_setting(role, database, text.partition("=")[0]): text.partition("=")[2]
                for role, database, text in client.ask(_SETTINGS)}  # fmt: skip
    return Contents(tables, sequences, objects, settings)


def _table(client: Client, name: str) -> Table:
    count = int(client.ask(f"select count(*)::text from only {_sql(name)}")[0][0])
    if count > ROWS_AT_MOST:
        digest = client.ask(f"select coalesce(sum(hashtext(kit_row::text)), 0)::text from only {_sql(name)} kit_row")
        return Table(None, count, digest[0][0])
    rows = tuple(row[0] for row in client.ask(f"select kit_row::text from only {_sql(name)} kit_row"))
    return Table(rows, count, hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest())


def _shown(schema: str, name: str) -> str:
    """A name as it is shown: with its schema, unless that is `public`."""
    return name if schema == "public" and "." not in name else f"{schema}.{name}"


def _sql(shown: str) -> str:
    """The SQL form of a shown name."""
    schema, dot, name = shown.partition(".")
    return f"{_quoted(schema)}.{_quoted(name)}" if dot else f"public.{_quoted(shown)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


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


def _steps(client: Client, left: Left, before: Contents) -> Iterator[str]:
    name = left.name
    if left.kind == "table" and name in before.tables:
        yield from _rows_back(client, name, before.tables[name])
    elif left.kind == "sequence" and name in before.sequences:
        last, _, following = before.sequences[name].partition(" ")
        yield f"select setval({_text(_sql(name))}, {last}, {'false' if following else 'true'})"
    elif left.kind == "setting":
        yield _setting_back(name, left.before)
    elif left.kind == "schema":
        yield f"drop schema if exists {_quoted(name)} cascade"
    else:
        named = name if left.kind == "function" else _sql(name)
        yield f"drop {left.kind} if exists {named} cascade"


def _setting_back(name: str, value: str) -> str:
    setting, _, whose = name.partition(" of ")
    change = f"set {setting} = {value or _text('')}" if value else f"reset {setting}"
    role, _, database = whose.partition(" in ")
    return f"alter {role}{f' in database {database}' if database else ''} {change}"


def _rows_back(client: Client, name: str, before: Table) -> Iterator[str]:
    """Delete the rows that were added, and insert those that were removed; all others stay as they are."""
    found = client.ask(f"select ctid::text, kit_row::text from only {_sql(name)} kit_row")
    then = Counter(before.rows or ())
    surplus = Counter(row for _, row in found) - then
    gone = list((then - Counter(row for _, row in found)).elements())
    places = []
    for place, row in found:
        if surplus[row] > 0:
            surplus[row] -= 1
            places.append(place)
    if places:
        yield f"delete from only {_sql(name)} where ctid = any({_text(_array(places))}::tid[])"
    if gone:
        columns = client.ask(
            "select quote_ident(attname) from pg_attribute where attnum > 0 and not attisdropped and attgenerated = ''"
            f" and attrelid = {_text(_sql(name))}::regclass order by attnum"
        )
        own = ", ".join(column for (column,) in columns)
        each = ", ".join(f"(kit_row).{column}" for (column,) in columns)
        rows = ", ".join(f"({_text(row)}::{_sql(name)})" for row in gone)
        yield (
            f"insert into {_sql(name)} ({own}) overriding system value "
            f"select {each} from (values {rows}) kit (kit_row)"
        )


def _array(values: list[str]) -> str:
    return "{" + ",".join(f'"{value}"' for value in values) + "}"
