"""Rows, sequences and all else of a live database, as it is looked at and put back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from kit.diagnosing.outside import clients
from kit.diagnosing.outside.contents import Contents, differences
from kit.diagnosing.outside.postgres import Postgres, Server
from kit.diagnosing.outside.store import CannotBeAsked
from kit.pair import Pair
from kit.pair.slots import open_slots

SCHEMA = """
create type mood as enum ('a', 'b');
create table parent (id serial primary key, m mood, x text, twice int generated always as (id * 2) stored);
create table child (id int generated always as identity primary key, parent int references parent, j jsonb, b bytea,
                    at timestamptz default now());
insert into parent (m, x) values ('a', 'it''s, (x) "q"'), ('b', null);
insert into child (parent, j, b) values (1, '{"a": 1}', '\\x00ff');
"""
WRITES = """
insert into parent (m, x) values ('a', 'new');
delete from child;
insert into child (parent, j) values (3, '[]');
update parent set x = 'changed' where id = 2;
create schema other;
create table other.t (a int);
create view v as select * from parent;
create function f(int) returns int language sql as 'select 1';
create type mood2 as enum ('x');
"""
LABELS = {
    "table child", "table parent", "table other.t", "sequence child_id_seq", "sequence parent_id_seq", "view v",
    "schema other", "type mood2", "function public.f(integer)",
}  # fmt: skip


MADE = """
create table "Odd name" (id uuid primary key, n numeric(8, 2) not null default 1.5 check (n > 0), t text collate "C");
create unlogged table quick (a int);
create unique index quick_a on quick (a) where a > 0;
create function bump() returns trigger language plpgsql as 'begin return new; end';
create trigger bumped before insert on quick for each row execute function bump();
create view seen as select id, x from parent;
create sequence apart increment 5;
create schema shelf;
create table shelf.book (id serial primary key, title text);
create view shelf.titles as select title from shelf.book;
create table own (a int);
grant select on own to public;
create table named (a int);
create policy only_named on own using (exists (select from named));
insert into "Odd name" values ('00000000-0000-0000-0000-000000000001', 2.25, 'x');
insert into quick values (3), (null);
insert into shelf.book (title) values ('one'), ('two');
select nextval('apart'), nextval('apart');
"""
# What a test might do, and what differs then: of a table, what belongs to it is not told by itself.
CHANGES = {
    "drop table child": {"table child"},
    "drop table parent cascade; drop view if exists seen": {"table parent", "table child", "view seen"},
    'drop table "Odd name"': {"table Odd name"},
    "drop table quick": {"table quick"},
    "alter table child add column extra int default 7": {"table child"},
    "alter table quick drop column a": {"table quick"},
    "alter table quick rename a to b": {"table quick"},
    "alter table quick alter a type bigint": {"table quick"},
    "alter table quick add unique (a)": {"table quick"},
    "drop index quick_a": {"index quick_a"},
    "create index quick_b on quick (a)": {"index quick_b"},
    "drop trigger bumped on quick": {"trigger bumped on quick"},
    "create trigger t after delete on quick for each row execute function bump()": {"trigger t on quick"},
    "create or replace view seen as select id, x, m from parent": {"view seen"},
    "drop view seen": {"view seen"},
    "drop sequence apart": {"sequence apart"},
    "drop schema shelf cascade": {"schema shelf"},
    "drop function bump cascade": {"function public.bump()", "trigger bumped on quick"},
    "create or replace function bump() returns trigger language plpgsql as 'begin return null; end'":
        {"function public.bump()"},
}  # fmt: skip


@pytest.fixture
def server(pair: Pair) -> Iterator[Server]:
    with open_slots(pair, 1) as (slot,):
        side = slot.test
        server = Server(side.host, str(side.port), side.user, side.database, side.password)
        ran(server, SCHEMA)
        yield server


def ran(server: Server, script: str) -> None:
    with psycopg.connect(server.url, password=server.password, autocommit=True) as connection:
        connection.execute(script.encode())


def labels(before: Contents, store: Postgres) -> set[str]:
    return {left.label for left in differences(before, store.look())}


def unchecked(client: Any) -> None:
    """Every server is the right one."""


@pytest.mark.parametrize("driver", clients.DRIVERS)
def test_it_is_looked_at_and_put_back(server: Server, monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    """By each driver: what differs is seen, one table is put back alone, and then all of it, keys and types and all."""
    monkeypatch.setattr(clients, "DRIVERS", (driver,))
    store = Postgres(server, unchecked)
    before = store.look()
    ran(server, WRITES)
    assert labels(before, store) == LABELS
    store.put_back(before, {"sequence parent_id_seq"})
    assert labels(before, store) == LABELS - {"sequence parent_id_seq"}
    store.put_back(before, {"table child", "table parent"})
    assert labels(before, store) == LABELS - {"sequence parent_id_seq", "table child", "table parent"}
    store.put_back(before, None)
    assert store.look() == before


def test_what_a_transaction_holds_is_left_and_said(server: Server) -> None:
    """A table that the program has locked is not waited for for long: nothing is changed, and the reason is told."""
    store = Postgres(server, unchecked)
    before = store.look()
    ran(server, WRITES)
    with psycopg.connect(server.url, password=server.password) as program:
        program.execute("lock table parent")
        with pytest.raises(CannotBeAsked, match="lock timeout"):
            store.put_back(before, {"table child", "table parent"})
    assert labels(before, store) == LABELS


def test_who_is_not_on_the_list_is_told_nothing(server: Server) -> None:
    """Where the server that answers is refused, nothing is put back there, which would be to drop all of it."""
    def refuse(client: Any) -> None:
        raise CannotBeAsked("the server that answers there is not on the allow-list")

    store = Postgres(server, refuse)
    with pytest.raises(CannotBeAsked, match="not on the allow-list"):
        store.put_back(Contents(), None)
    assert labels(Contents(), Postgres(server, unchecked)) >= {"table child", "table parent"}


@pytest.mark.parametrize("driver", clients.DRIVERS)
def test_libpqs_variables_do_not_lead_elsewhere(server: Server, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the user's variables name, the server that was reached is asked; they are there again afterwards."""
    monkeypatch.setattr(clients, "DRIVERS", (driver,))
    elsewhere = {"PGHOSTADDR": "192.0.2.1", "PGSERVICE": "not-there", "PGOPTIONS": "-c search_path=other"}
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    with clients.connect(server.host, server.port, server.user, server.database, server.password) as client:
        assert client.ask("select current_database()::text") == [(server.database,)]
    assert {name: os.environ.get(name) for name in elsewhere} == elsewhere


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_dropped_or_altered_is_made_again(server: Server, change: str) -> None:
    """Each is told under one name, and put back with keys, rows, indexes, triggers and numbers; nothing else moves."""
    ran(server, MADE)
    store = Postgres(server, unchecked)
    before = store.look()
    ran(server, f"{change}; create table aside (a int)")
    found = CHANGES[change]
    assert labels(before, store) == {*found, "table aside"}
    store.put_back(before, found)
    assert labels(before, store) == {"table aside"}
    store.put_back(before, None)
    assert store.look() == before


@pytest.mark.parametrize("name", ["own", "named"])
def test_what_cannot_be_made_exactly_is_told_and_left(server: Server, name: str) -> None:
    """A table with grants would come back without them, one that another's policy names without that policy.

    It is said to be gone, and is not made again.
    """
    ran(server, MADE)
    store = Postgres(server, unchecked)
    before = store.look()
    ran(server, f"drop table {name} cascade")
    found = [(left.label, left.can_go_back) for left in differences(before, store.look())]
    assert found == [(f"table {name}", False)]
    store.put_back(before, {f"table {name}"})
    assert labels(before, store) == {f"table {name}"}


def test_what_would_take_more_with_it_is_left(server: Server) -> None:
    """A value added to a type is not taken away by dropping the columns of that type, and the rest goes back."""
    store = Postgres(server, unchecked)
    before = store.look()
    ran(server, "alter type mood add value 'c'")
    ran(server, "insert into parent (m) values ('c'); delete from child")
    changed = labels(before, store)
    with pytest.raises(CannotBeAsked, match="would not be as before"):
        store.put_back(before, {"type mood"})
    assert labels(before, store) == changed
    with pytest.raises(CannotBeAsked, match="would not be as before"):
        store.put_back(before, None)
    assert labels(before, store) == {"type mood"}
