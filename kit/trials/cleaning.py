"""Ways to give every test a clean database: the cost of each on a live server, and what the next test finds.

Everything happens in separate databases on the pair's test server, which are dropped afterwards.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from statistics import median
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from kit.pair.connect import connect, open_connection
from kit.pair.model import Pair, Side
from kit.pair.populate import create_database, run_files
from kit.pair.slots import TEMPLATE, open_slots

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

JoinMode = Literal["create_savepoint", "conditional_savepoint", "rollback_only", "control_fully"]
Ending = Literal["commit", "rollback"]

JOIN_MODES: tuple[JoinMode, ...] = ("create_savepoint", "conditional_savepoint", "rollback_only", "control_fully")
ENDINGS: tuple[Ending, ...] = ("commit", "rollback")
APPLICATION = "kit-cleaning"
_GONE_S, _GONE_POLL_S = 5.0, 0.001

_INSERT = "insert into sites (name, url) values (%s, gen_random_uuid()::text)"
_FOUND = """\
select count(*) filter (where name = 'the test''s'), count(*) filter (where name = 'another''s') from sites"""
_CLEAN = "truncate sites restart identity"


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost and the remaining rows of one way.

    `median_ms` is the median over the rounds of set-up plus clean-up, without the test itself. `own_rows` and
    `other_rows` are the rows that the next test finds: those of the test's own connection, and those that another
    connection committed in the meantime. `counts_anew` is whether its first new row gets number 1.
    """

    way: str
    median_ms: float
    own_rows: int
    other_rows: int
    counts_anew: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """The fate of a fixture's row and a route's row in one outer transaction, after the route's `ending`.

    `seen` is the number of rows that the test saw then, `left` the number after the outer transaction was rolled back.
    """

    mode: JoinMode
    ending: Ending
    seen: int
    left: int


@dataclass(frozen=True, slots=True)
class _Place:
    """A database with an empty table, a connection to it, and one that may create databases."""

    side: Side
    connection: Connection
    admin: Connection


_Way = Callable[[_Place], AbstractContextManager[tuple[Side, "Connection"]]]


def measure(pair: Pair, rounds: int, *, seed: int | None = None) -> tuple[Cost, ...]:
    """Measure all ways in each round, in an order shuffled by `seed`, so that other load affects all alike.

    Raises PairError where the kit may not create databases.
    """
    shuffled = random.Random(seed)
    times_ms: dict[str, list[float]] = {name: [] for name in WAYS}
    with _place(pair) as place:
        for _ in range(rounds):
            for name in shuffled.sample(list(WAYS), len(WAYS)):
                times_ms[name].append(_round_ms(place, WAYS[name]))
        return tuple(_cost(place, name, median(times)) for name, times in times_ms.items())


def try_join_modes(pair: Pair) -> tuple[Joined, ...]:
    """Let a session join an outer transaction in each mode, and end its work with each ending.

    Raises PairError where the kit may not create databases.
    """
    import sqlalchemy

    with _place(pair) as place:
        url = place.side.url()
        engine = sqlalchemy.create_engine(
            place.side.url("psycopg"), creator=lambda: open_connection(url, application_name=APPLICATION)
        )
        try:
            return tuple(_joined(place, engine, mode, ending) for mode in JOIN_MODES for ending in ENDINGS)
        finally:
            engine.dispose()


@contextmanager
def _rolled_back(place: _Place) -> Iterator[tuple[Side, Connection]]:
    with place.connection.transaction(force_rollback=True):
        yield place.side, place.connection


@contextmanager
def _deleted(place: _Place) -> Iterator[tuple[Side, Connection]]:
    yield place.side, place.connection
    place.connection.execute("delete from sites")


@contextmanager
def _truncated(place: _Place) -> Iterator[tuple[Side, Connection]]:
    yield place.side, place.connection
    place.connection.execute(_CLEAN)


@contextmanager
def _cloned(place: _Place) -> Iterator[tuple[Side, Connection]]:
    with _database(place, TEMPLATE) as made:
        yield made


@contextmanager
def _made_anew(place: _Place) -> Iterator[tuple[Side, Connection]]:
    with _database(place, "template0") as made:
        run_files(made[1], ["sites.sql"])
        yield made


WAYS: Mapping[str, _Way] = MappingProxyType(
    {
        "rollback": _rolled_back,
        "delete": _deleted,
        "truncate": _truncated,
        "template clone": _cloned,
        "fresh database": _made_anew,
    }
)
"""Each way as a context manager around a test, which gets a side and a connection to it."""


@contextmanager
def _database(place: _Place, template: str) -> Iterator[tuple[Side, Connection]]:
    """A database for one test. The superuser owns it, so that no privileges have to be granted."""
    from psycopg import sql

    name = f"{place.side.database}_{secrets.token_hex(4)}"
    create_database(place.admin, name, template)
    side = replace(place.side, database=name)
    try:
        with closing(_connect(side, admin=True)) as connection:
            yield side, connection
    finally:
        # Waited for here, because DROP DATABASE polls only every 100 ms.
        wait_until = time.monotonic() + _GONE_S
        while _in_use(place.admin, name) and time.monotonic() < wait_until:
            time.sleep(_GONE_POLL_S)
        place.admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _in_use(admin: Connection, name: str) -> bool:
    asked = "select from pg_stat_activity where datname = %s and backend_type = 'client backend'"
    return admin.execute(asked, (name,)).fetchone() is not None


def _round_ms(place: _Place, way: _Way) -> float:
    """Set up, run a test's statements, clean up; return the milliseconds of set-up and clean-up."""
    began = time.perf_counter()
    with way(place) as (side, connection):
        set_up_s = time.perf_counter() - began
        _test(side, connection)
        began = time.perf_counter()
    clean_up_s = time.perf_counter() - began
    place.connection.execute(_CLEAN)
    return 1000 * (set_up_s + clean_up_s)


def _test(side: Side, connection: Connection) -> None:
    connection.execute(_INSERT, ("the test's",))
    with closing(_connect(side, admin=True)) as other:
        other.execute(_INSERT, ("another's",))


def _cost(place: _Place, name: str, median_ms: float) -> Cost:
    """Run the way once more, untimed, to see what the next test finds."""
    way = WAYS[name]
    with way(place) as (side, connection):
        _test(side, connection)
    with way(place) as (_, connection):
        own_rows, other_rows = _row(connection, _FOUND)
        number, = _row(connection, "select nextval('sites_id_seq')")
    place.connection.execute(_CLEAN)
    return Cost(name, median_ms, own_rows, other_rows, number == 1)


def _joined(place: _Place, engine: Any, mode: JoinMode, ending: Ending) -> Joined:
    from sqlalchemy import text
    from sqlalchemy.orm import Session

    place.connection.execute(_CLEAN)
    insert = text("insert into sites (name, url) values (:name, :name)")
    with engine.connect() as connection:
        connection.begin()
        connection.execute(insert, {"name": "the fixture's"})
        with Session(connection, join_transaction_mode=mode) as session:
            session.execute(insert, {"name": "the route's"})
            getattr(session, ending)()
        seen = connection.scalar(text("select count(*) from sites"))
        connection.rollback()  # in whichever transaction: some modes have already ended the outer one
    left, = _row(place.connection, "select count(*) from sites")
    return Joined(mode, ending, seen, left)


@contextmanager
def _place(pair: Pair) -> Iterator[_Place]:
    with open_slots(pair, 1) as (slot,):
        side = slot.test
        with closing(_connect(side)) as connection, closing(_connect(pair.test, admin=True)) as admin:
            yield _Place(side, connection, admin)


def _connect(side: Side, *, admin: bool = False) -> Connection:
    from urllib.parse import quote, urlsplit

    url = side.url()
    if admin:
        assert side.admin is not None  # open_slots refuses a side without
        url = urlsplit(side.admin)._replace(path="/" + quote(side.database, safe="")).geturl()
    return connect(url, application=APPLICATION)


def _row(connection: Connection, statement: str) -> tuple[Any, ...]:
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None  # each of these statements returns one row
    return row
