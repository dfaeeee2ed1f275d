"""What is set in the session of a connection that a program keeps: told, and undone alone, by each driver."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from types import ModuleType, SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit
from weakref import ref

import pg8000.dbapi
import psycopg
import psycopg2
import pytest

from kit.pair import Pair
from kit.pair.slots import open_slots
from kit.probes.databases import Connection, Databases
from kit.probes.kept_sessions import KeptSessions, holds
from kit.probes.objects import Objects, address
from kit.probes.outside import Journal
from kit.probes.recorder import Recorder
from kit.probes.state.values import Content
from kit.probes.statements import read

POSTGRES = {
    "set search_path = other": ("setting search_path", '"$user", public', "other"),
    "set default_transaction_read_only = on": ("setting default_transaction_read_only", "off", "on"),
    "select set_config('role', current_user::text, false)": ("setting role", "none", None),
    "set time zone 'Asia/Tokyo'": ("setting TimeZone", None, "Asia/Tokyo"),
    "select set_config('app.tenant', '7', false)": ("setting app.tenant", "", "7"),
    "create temporary table seen (a int)": ("temporary table seen", "", "there"),
    "select pg_advisory_lock(42), pg_advisory_lock(42)": ("advisory lock 42", "", "there"),
    "select pg_advisory_lock(1, 2)": ("advisory lock 1, 2", "", "there"),
    "select pg_advisory_lock_shared(5000000000)": ("advisory lock 5000000000 (shared)", "", "there"),
}
SQLITE = {
    "pragma foreign_keys = on": ("setting foreign_keys", "0", "1"),
    "pragma query_only = on": ("setting query_only", "0", "1"),
    "attach ':memory:' as other": ("attached database other", "", "there"),
    "create temp table seen (a int)": ("temporary table seen", "", "there"),
}
DRIVERS: dict[str, Callable[[str], Any]] = {
    "psycopg": lambda url: psycopg.connect(url, autocommit=True),
    "psycopg2": psycopg2.connect,
    "pg8000": lambda url: by_pg8000(url),
    "sqlite3": lambda url: sqlite3.connect(":memory:", isolation_level=None),
}


def by_pg8000(url: str) -> Any:
    """Connect with pg8000, which takes no URL."""
    told = urlsplit(url)
    return pg8000.dbapi.connect(
        user=told.username or "", password=told.password, host=told.hostname or "", port=told.port or 5432,
        database=told.path[1:],
    )  # fmt: skip


class Program:
    """A program with one open connection, and who compares its session."""

    def __init__(self, thing: Any, database: Any) -> None:
        self.thing, self.connection = thing, Connection("1", database, None, True)
        databases = Databases(cast(Recorder, None), Objects())
        self.journal = Journal(databases)
        held = SimpleNamespace(open_connections=lambda: iter([(thing, self.connection)]), visitors=[])
        self.sessions = KeptSessions(cast(Databases, held), self.journal, "/project/")

    def run(self, text: str) -> None:
        for listener in (self.journal, self.sessions):
            listener.wrote(self.connection, read(text), text)
        with closing(self.thing.cursor()) as cursor:
            cursor.execute(text)
        if not isinstance(self.thing, sqlite3.Connection):
            self.thing.commit()

    def ends(self, put_back: tuple[str, ...] = (), keep: tuple[str, ...] = ()) -> dict[str, tuple[str, str]]:
        told = self.sessions.ends(put_back, keep)
        self.told = {one["label"]: one for one in told}
        return {one["label"]: (one["before"], one["after"]) for one in told}


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Program]]:
    things = []

    def make(driver: str) -> Program:
        url, database = "", ("7", None, "127.0.0.1", 1, "shop_48211")
        if driver != "sqlite3":
            pair: Pair = request.getfixturevalue("pair")
            url = opened(request, pair)
        things.append(DRIVERS[driver](url))
        return Program(things[-1], database)

    yield make
    for thing in things:
        thing.close()


def opened(request: pytest.FixtureRequest, pair: Pair) -> str:
    slots = open_slots(pair, 1)
    (slot,) = slots.__enter__()
    request.addfinalizer(lambda: slots.__exit__(None, None, None))
    return str(slot.test.url())


CASES = [
    *((driver, text) for driver in ("psycopg", "psycopg2", "pg8000") for text in POSTGRES),
    *(("sqlite3", text) for text in SQLITE),
]  # fmt: skip


@pytest.mark.parametrize(("driver", "text"), CASES)
def test_what_is_set_is_told_and_undone_alone(driver: str, text: str, program: Callable[[str], Program]) -> None:
    """Each is told with what it was and the line, and put back alone: what else was set meanwhile stays."""
    found = program(driver)
    aside = "pragma busy_timeout = 77" if driver == "sqlite3" else "set statement_timeout = '77s'"
    found.sessions.begins()
    found.run(text)
    found.run(aside)
    label, before, after = {**POSTGRES, **SQLITE}[text]
    told = found.ends()
    assert label in told
    assert len(told) == 2
    assert after is None or told[label][1] == after
    assert before is None or told[label][0] == before
    assert found.told[label]["place"] == f"{label} of a kept connection to shop_*"
    assert found.told[label]["written"][0][0] == __file__
    found.ends((found.told[label]["place"],))
    assert found.ends().keys() == told.keys() - {label}
    found.ends(keep=("nothing",))
    assert found.ends() == {}


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_what_ends_with_its_transaction_is_not_left(driver: str, program: Callable[[str], Program]) -> None:
    """`set local`, and a value that was put back by the program, are no differences."""
    found = program(driver)
    found.sessions.begins()
    found.run("set local search_path = other")
    found.run("set lock_timeout = '5s'")
    found.run("reset lock_timeout")
    assert found.ends() == {}


def test_what_its_pool_set_up_is_no_difference(program: Callable[[str], Program]) -> None:
    """A connection that is opened meanwhile counts from its first use, with what a listener has set by then."""
    found = program("psycopg")
    things, found.sessions._databases = found.sessions._databases, cast(
        Databases, SimpleNamespace(open_connections=lambda: iter(()), visitors=[])
    )
    found.sessions.begins()
    found.sessions._databases = things
    found.run("set search_path = tenant")
    found.sessions.first_used(found.connection)
    found.run("set lock_timeout = '5s'")
    assert found.ends().keys() == {"setting lock_timeout"}
    found.ends(keep=("nothing",))
    with closing(found.thing.cursor()) as cursor:
        assert cursor.execute("show search_path").fetchone() == ("tenant",)


def test_nothing_is_asked_within_a_transaction(program: Callable[[str], Program]) -> None:
    """A connection with an open transaction is neither asked nor changed, and the transaction goes on."""
    found = program("psycopg2")
    found.sessions.begins()
    found.run("set search_path = other")
    with closing(found.thing.cursor()) as cursor:
        cursor.execute("create table public.t (a int)")
        assert found.ends(keep=("nothing",)) == {}
        cursor.execute("select count(*) from public.t")
        found.thing.rollback()
    assert found.ends().keys() == {"setting search_path"}


class Record:
    """Stands for what a pool keeps of a connection."""

    connection: Any = None


def test_what_holds_a_connection_is_found_through_its_pool() -> None:
    """A pool's container leads to its connections, by way of records and weak references; a module does not."""
    with closing(sqlite3.connect(":memory:")) as mine, closing(sqlite3.connect(":memory:")) as other:
        record = Record()
        record.connection = mine
        for holder in (deque([record]), [ref(record)], Content([record]), {"all": {"one": record}}):
            assert holds(holder, {address(mine)})
            assert not holds(holder, {address(other)})
        module = ModuleType("held")
        module.connection = mine  # type: ignore[attr-defined]
        assert not holds([module], {address(mine)})


def test_what_a_driver_does_not_let_be_asked_is_named_without_a_way_back() -> None:
    """Of another driver's pool the statement that set something is told, as what cannot be restored."""
    class Connected:
        """Stands for a connection of a driver whose sessions are not asked."""

    found = Program(Connected(), "shop")
    found.sessions.begins()
    found.journal.wrote(found.connection, read("set search_path = other"), "set search_path = other")
    (label,) = found.ends()
    assert label == "what `set search_path = other` set on a kept connection to shop"
    assert found.told[label]["can_go_back"] is False


def test_a_pragma_outlives_the_rollback_of_its_transaction(program: Callable[[str], Program]) -> None:
    """A pool rolls back what is not committed, and the pragma stays: its statement is still the one that is named."""
    found = program("sqlite3")
    found.sessions.begins()
    found.run("pragma foreign_keys = on")
    found.journal.ended(found.connection, False)
    assert found.journal.writes == []
    assert found.ends() == {"setting foreign_keys": ("0", "1")}
    assert found.told["setting foreign_keys"]["written"][0][0] == __file__
