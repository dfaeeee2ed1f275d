"""Slots: databases of their own on both servers of a pair, so that parallel trials do not share one.

A reset does the least work that is correct. Medians for one side, Postgres 18 in memory, on a machine with other load:

    no write on the whole server                 0.3 ms    one query
    no difference left by writes                 5 ms      catalogs and table compared with the seeded state
    rows or the sequence changed                 8 ms      TRUNCATE, and the rows inserted again
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

# Without the timeout argument of pg_terminate_backend, which polls only every 100 ms.
SESSIONS_SQL = """\
select pid, pg_terminate_backend(pid) from pg_stat_activity
where datname = %s and backend_type = 'client backend' and pid <> all(%s)"""

# One of both changes with every write in this database: a write takes a transaction number of the server, except for
# nextval, which the sequence shows.
ACTIVITY_SQL = """\
select pg_snapshot_xmax(pg_current_snapshot())::text, pg_sequence_last_value(to_regclass('public.sites_id_seq'))"""

# A new version of a row has a higher xmin than every row before it, so equal counts and equal sums mean equal rows.
# Statistics are left out because autovacuum writes them, and so are the columns of user tables that TRUNCATE and vacuum
# change.
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
    """A pair with databases of this slot's own, usable wherever a pair is.

    `number` counts from 0. The roles, the servers and their logs are shared with the other slots; the log entries of
    this slot are those with its databases' names. A reset may give a database a new oid.
    """

    number: int
    keepers: tuple[Keeper, Keeper] = field(repr=False, compare=False)

    def reset(self) -> None:
        """Restore both databases to their seeded state: production with its 731 rows, test with none.

        Open sessions in them are ended. Raises PairError when a server does not answer.
        """
        for keeper in self.keepers:
            keeper.reset()

    def end_sessions(self) -> int:
        """End every session in this slot's databases on both servers; return how many there were."""
        return sum(keeper.end_sessions() for keeper in self.keepers)


@contextmanager
def open_slots(pair: Pair, count: int) -> Iterator[tuple[Slot, ...]]:
    """`count` slots on a pair, dropped at the end. Raises PairError where the kit may not create databases."""
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
    """Create the database that slots are cloned from, unless the server has it. It accepts no connections."""
    from psycopg import sql

    with _connect(side, "postgres") as connection:
        connection.execute("select pg_advisory_lock(%s)", (TEMPLATE_LOCK,))
        found = connection.execute("select datistemplate from pg_database where datname = %s", (TEMPLATE,)).fetchone()
        if found == (True,):
            return
        template = sql.Identifier(TEMPLATE)
        connection.execute(sql.SQL("drop database if exists {}").format(template))  # left by a run that was interrupted
        create_database(connection, TEMPLATE)
        with _connect(side, TEMPLATE) as inside:
            populate(inside, side.name, side.user, side.password)
        connection.execute(sql.SQL("alter database {} is_template true allow_connections false").format(template))


class Keeper:
    """One database of a slot: created, compared with its seeded state, restored to it, dropped."""

    def __init__(self, side: Side, database: str) -> None:
        self.side, self.database = side, database
        self.seeded: State | None = None
        self.catalogs = b""
        self.outside: Connection | None = None
        self.inside: Connection | None = None

    def __reduce__(self) -> tuple[Callable[..., Keeper], tuple[Side, str]]:
        # A connection cannot be pickled. The new keeper has no seeded state and therefore clones at its first reset.
        return Keeper, (self.side, self.database)

    def slot_side(self) -> Side:
        """The side with this slot's database."""
        from kit.pair.connect import identify

        side = replace(self.side, database=self.database)
        return replace(side, identity=identify(side.url()))

    def create(self) -> None:
        """Clone the template and record the clone's state."""
        self.seeded = self._retried(self._clone)

    def reset(self) -> None:
        """Restore the seeded state with the least work."""
        self.end_sessions()
        self.seeded = self._retried(self._restore)

    def end_sessions(self) -> int:
        """End all sessions in this database except the keeper's own; return how many there were."""
        return self._retried(self._end_sessions)

    def ask(self, question: Callable[[Connection], Answer]) -> Answer:
        """Call `question` with the keeper's own connection to this database; return its result."""
        return self._retried(lambda: question(self._inside()))

    def drop(self) -> None:
        """Drop the database and close the connections."""
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
        # Relations first: a created or dropped table, the usual case, shows there at a quarter of the cost.
        if _relations(inside) != seeded.relations or self._definitions(inside) != seeded.definitions:
            return self._clone()
        if _rows(inside) != seeded.rows:
            self._refill(inside)
        # TRUNCATE changes nothing that is compared of the schema.
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
        # A clone is a copy of files, so its catalogs equal those of the previous clone, which were read then.
        if self.seeded is not None:
            return replace(self.seeded, activity=_activity(inside), rows=_rows(inside))
        return State(_activity(inside), _relations(inside), self._definitions(inside), _rows(inside))

    def _drop(self) -> None:
        from psycopg import sql

        if self.inside is not None:
            self.inside.close()
            self.inside = None
        # Waited for here, because DROP DATABASE polls only every 100 ms; FORCE ends sessions opened in between.
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
        if not self.catalogs:  # one statement for all of them: sixty statements would be sixty round trips
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
        """Run a step; once more over new connections when the server has closed the old ones, as after a crash."""
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
        """Close the connections; the next step opens new ones."""
        for connection in (self.inside, self.outside):
            if connection is not None:
                connection.close()
        self.inside = self.outside = None


@dataclass(frozen=True, slots=True)
class State:
    """The state of a database: the server's write activity, relations, other definitions, and rows."""

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
    assert row is not None  # an aggregate always gives one row
    return row


def _connect(side: Side, database: str) -> Connection:
    from urllib.parse import quote, urlsplit

    from kit.pair.connect import connect

    assert side.admin is not None  # open_slots refuses a side without
    url = urlsplit(side.admin)._replace(path="/" + quote(database, safe="")).geturl()
    return connect(url, application=APPLICATION, options="-c log_statement=none")
