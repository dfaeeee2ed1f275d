"""Slots: databases of one's own on both servers of a pair, so that trials run side by side without meeting.

A reset does the least that is right. Medians for one side, Postgres 18 in memory, on a machine with other work:

    nothing written on the whole server          0.3 ms    one question
    nothing left of what was written             5 ms      the catalogs and the table compared with how they began
    rows or the next number changed              8 ms      TRUNCATE, and the rows again
    anything else: tables, functions, settings   30 ms     the database dropped and cloned from a template
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from kit.errors import PairError
from kit.pair.model import Pair, Side
from kit.pair.populate import create_database, populate, run_files

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

Answer = TypeVar("Answer")

TEMPLATE = "kit_template"
APPLICATION = "kit-slot"
TEMPLATE_LOCK = 731_731
END_S = 10
END_POLL_S = 0.002

# Without the time-out that pg_terminate_backend takes: it looks every 100 ms only.
SESSIONS_SQL = """\
select pid, pg_terminate_backend(pid) from pg_stat_activity
where datname = %s and backend_type = 'client backend' and pid <> all(%s)"""

# Both change with every write that a session of this database makes: a write takes a transaction number of the
# server's, save for nextval, which the sequence shows.
ACTIVITY_SQL = """\
select pg_snapshot_xmax(pg_current_snapshot())::text, pg_sequence_last_value(to_regclass('public.sites_id_seq'))"""

# A new version of a row has a higher xmin than every row before it, so an equal count with an equal sum means equal
# rows. Statistics are left out, since autovacuum writes them, and so are the columns of user tables that TRUNCATE and
# vacuum change.
CATALOGS_SQL = """\
select format('select count(*), sum(xmin::text::bigint)::text from pg_catalog.%I', relname)
from pg_class
where relnamespace = 'pg_catalog'::regnamespace and relkind = 'r' and not relisshared
  and relname not in ('pg_class', 'pg_statistic', 'pg_statistic_ext_data')
order by relname"""
RELATIONS_SQL = """\
select count(*), md5(string_agg(concat_ws(' ', oid, relname, relnamespace, reltype, relowner, relam, relkind, relnatts,
    relchecks, relhasrules, relhastriggers, relrowsecurity, relforcerowsecurity, relpersistence, relreplident, relacl,
    reloptions, case when oid < 16384 then xmin::text end), ',' order by oid))
from pg_class"""
SETTINGS_SQL = """\
select count(*), md5(string_agg(setconfig::text, ',' order by setrole, setdatabase))
from pg_db_role_setting
where setdatabase = (select oid from pg_database where datname = current_database()) or setrole = to_regrole(%s)"""
ROWS_SQL = """\
select count(*), sum(xmin::text::bigint)::text, (select concat(last_value, is_called) from public.sites_id_seq)
from public.sites"""


@dataclass(frozen=True, slots=True)
class Slot(Pair):
    """A pair whose databases are this slot's own; it can be used wherever a pair can.

    `number` counts from 0. The roles, the servers and their logs are shared with the other slots; the log's lines of
    this slot are those with its databases' names. A reset may give a database a new oid.
    """

    number: int
    keepers: tuple[Keeper, Keeper] = field(repr=False, compare=False)

    def reset(self) -> None:
        """Bring both databases back to how they began: production with its 731 rows, test with none.

        Sessions that are still open there are ended. Raises PairError when a server does not answer.
        """
        for keeper in self.keepers:
            keeper.reset()

    def end_sessions(self) -> int:
        """End every session in this slot's databases on both servers, and return how many there were."""
        return sum(keeper.end_sessions() for keeper in self.keepers)


@contextmanager
def open_slots(pair: Pair, count: int) -> Iterator[tuple[Slot, ...]]:
    """`count` slots on a pair, dropped at the end. Raises PairError where the kit may not make databases."""
    for side in pair.sides:
        if side.admin is None or not pair.writable:
            raise PairError(
                f"{side.redacted} is not a server on which the kit may create databases",
                wanted="a pair that the kit started",
                remedy="leave out the URLs and let the kit start its own (kit up)",
            )
    for side in pair.sides:
        ensure_template(side)
    name = secrets.token_hex(3)
    with ExitStack() as closing:
        yield tuple(_open_slot(pair, number, name, closing) for number in range(count))


def _open_slot(pair: Pair, number: int, name: str, closing: ExitStack) -> Slot:
    keepers = []
    for side in pair.sides:
        keeper = Keeper(side, f"{side.database}_{name}_{number}")
        closing.callback(keeper.drop)
        keeper.create()
        keepers.append(keeper)
    production, test = keepers
    return Slot(
        production.slot_side(), test.slot_side(), pair.kind, pair.writable, number=number, keepers=(production, test)
    )


def ensure_template(side: Side) -> None:
    """Make the database that slots are cloned from, if the server has none yet; nobody can connect to it."""
    from psycopg import sql

    with _connect(side, "postgres") as connection:
        connection.execute("select pg_advisory_lock(%s)", (TEMPLATE_LOCK,))
        found = connection.execute("select datistemplate from pg_database where datname = %s", (TEMPLATE,)).fetchone()
        if found == (True,):
            return
        template = sql.Identifier(TEMPLATE)
        connection.execute(sql.SQL("drop database if exists {}").format(template))  # one that was never finished
        create_database(connection, TEMPLATE)
        with _connect(side, TEMPLATE) as inside:
            populate(inside, side.name, side.user, side.password)
        connection.execute(sql.SQL("alter database {} is_template true allow_connections false").format(template))


class Keeper:
    """One database of a slot: made, compared with its seeded state, brought back to it, dropped."""

    def __init__(self, side: Side, database: str) -> None:
        self.side, self.database = side, database
        self.seeded: State | None = None
        self.catalogs = b""
        self.outside: Connection | None = None
        self.inside: Connection | None = None

    def __reduce__(self) -> tuple[Callable[..., Keeper], tuple[Side, str]]:
        # A connection cannot go to another process, and what it has not seen seeded it clones at the first reset.
        return Keeper, (self.side, self.database)

    def slot_side(self) -> Side:
        """The side as it is in this slot."""
        from kit.pair.connect import identify

        side = replace(self.side, database=self.database)
        return replace(side, identity=identify(side.url()))

    def create(self) -> None:
        """Clone the template, and remember how the clone looks."""
        self.seeded = self._retried(self._clone)

    def reset(self) -> None:
        """Do the least that brings the seeded state back."""
        self.end_sessions()
        self.seeded = self._retried(self._restore)

    def end_sessions(self) -> int:
        """End all sessions in this database but the keeper's own, and return how many there were."""
        return self._retried(self._end_sessions)

    def ask(self, question: Callable[[Connection], Answer]) -> Answer:
        """Put a question to this database over the keeper's own connection."""
        return self._retried(lambda: question(self._inside()))

    def drop(self) -> None:
        """Remove the database and let the connections go."""
        self._retried(self._drop)
        self.close()

    def _restore(self) -> State:
        seeded = self.seeded
        if seeded is None:
            return self._clone()
        inside = self._inside()
        activity = _activity(inside)
        if activity == seeded.activity:
            return seeded
        # Relations first: a table made or dropped, the usual case, shows there at a quarter of the cost.
        if _relations(inside) != seeded.relations or self._definitions(inside) != seeded.definitions:
            return self._clone()
        if _rows(inside) != seeded.rows:
            self._refill(inside)
        # TRUNCATE leaves the schema as it is compared here alone.
        return replace(seeded, activity=_activity(inside), rows=_rows(inside))

    def _refill(self, inside: Connection) -> None:
        with inside.transaction():
            inside.execute("truncate public.sites restart identity")
            if self.side.name == "production":
                run_files(inside, ["seed.sql"])

    def _clone(self) -> State:
        self._drop()
        create_database(self._outside(), self.database, TEMPLATE)
        from psycopg import sql

        owner = sql.SQL("alter database {} owner to {}")
        self._outside().execute(owner.format(sql.Identifier(self.database), sql.Identifier(self.side.user)))
        self._outside().execute(sql.SQL("alter role {} reset all").format(sql.Identifier(self.side.user)))
        inside = self._inside()
        # A clone is a copy of files, so its catalogs are those of the clone before, which were read then.
        if self.seeded is not None:
            return replace(self.seeded, activity=_activity(inside), rows=_rows(inside))
        return State(_activity(inside), _relations(inside), self._definitions(inside), _rows(inside))

    def _drop(self) -> None:
        from psycopg import sql

        if self.inside is not None:
            self.inside.close()
            self.inside = None
        # Waited for here, because DROP DATABASE looks every 100 ms only; FORCE ends what comes in between.
        self._end_sessions()
        statement = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(self.database))
        self._outside().execute(statement)

    def _end_sessions(self) -> int:
        own = [self.inside.info.backend_pid] if self.inside is not None else []
        found: set[int] = set()
        deadline = time.monotonic() + END_S
        while sessions := self._outside().execute(SESSIONS_SQL, (self.database, own)).fetchall():
            found |= {pid for pid, _ in sessions}
            if time.monotonic() > deadline:
                raise PairError(
                    f"sessions in {self.database} on {self.side.redacted} did not end within {END_S} s",
                    remedy="restart the pair (kit down, kit up)",
                )
            time.sleep(END_POLL_S)
        return len(found)

    def _definitions(self, inside: Connection) -> tuple[Any, ...]:
        if not self.catalogs:  # one statement over all of them, because sixty would be sixty round trips
            self.catalogs = " union all ".join(row[0] for row in inside.execute(CATALOGS_SQL)).encode()
        found = inside.execute(self.catalogs).fetchall()
        return (*found, *inside.execute(SETTINGS_SQL, (self.side.user,)).fetchall())

    def _outside(self) -> Connection:
        if self.outside is None:
            self.outside = _connect(self.side, "postgres")
        return self.outside

    def _inside(self) -> Connection:
        if self.inside is None:
            self.inside = _connect(self.side, self.database)
        return self.inside

    def _retried(self, step: Callable[[], Answer]) -> Answer:
        """Do a step; once more over new connections when the server has closed the old ones, as after a crash."""
        import psycopg

        try:
            return step()
        except psycopg.OperationalError:
            self.close()
        try:
            return step()
        except psycopg.Error as error:
            words = " ".join(str(error).split())
            raise PairError(f"{self.database} on {self.side.redacted} cannot be reset: {words}") from error

    def close(self) -> None:
        """Let the connections go; the next step opens new ones."""
        for connection in (self.inside, self.outside):
            if connection is not None:
                connection.close()
        self.inside = self.outside = None


@dataclass(frozen=True, slots=True)
class State:
    """How a database looks: what its server has done, which relations and what else it defines, its rows."""

    activity: tuple[Any, ...]
    relations: tuple[Any, ...]
    definitions: tuple[Any, ...]
    rows: tuple[Any, ...]


def _activity(inside: Connection) -> tuple[Any, ...]:
    return _one(inside, ACTIVITY_SQL)


def _relations(inside: Connection) -> tuple[Any, ...]:
    return _one(inside, RELATIONS_SQL)


def _rows(inside: Connection) -> tuple[Any, ...]:
    return _one(inside, ROWS_SQL)


def _one(inside: Connection, statement: str) -> tuple[Any, ...]:
    row = inside.execute(statement.encode()).fetchone()
    assert row is not None  # aggregates always give one row
    return row


def _connect(side: Side, database: str) -> Connection:
    from urllib.parse import quote, urlsplit

    from kit.pair.connect import connect

    assert side.admin is not None  # open_slots refuses a side without
    url = urlsplit(side.admin)._replace(path="/" + quote(database, safe="")).geturl()
    return connect(url, application=APPLICATION, options="-c log_statement=none")
