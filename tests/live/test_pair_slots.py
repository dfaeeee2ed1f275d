"""Slots: databases of one's own on both servers, and back to how they began."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator

import psycopg
import pytest

from kit.errors import PairError
from kit.pair import Pair, ServerLog, Side, SideName
from kit.pair.connect import connect
from kit.pair.embedded import open_embedded
from kit.pair.model import SIDES
from kit.pair.rows import count_sites
from kit.pair.slots import TEMPLATE, Slot, open_slots

CONTENT = """
select coalesce(md5(string_agg(sites::text, ',' order by id)), 'none'), count(*),
       (select concat_ws(' ', last_value, is_called) from sites_id_seq)
from sites
"""
RELATIONS = """
select relname, relkind, relacl::text, relrowsecurity, relnatts, relnamespace::regnamespace::text from pg_class
where oid >= 16384 and relkind <> 't' and relname !~ '^pg_toast' order by 1, 6
"""
DEFINITIONS = """
select (select string_agg(concat_ws(' ', attname, attisdropped, pg_get_expr(adbin, adrelid)), ',' order by attnum)
        from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attrelid = 'sites'::regclass and attnum > 0),
       (select string_agg(conname, ',' order by conname) from pg_constraint where conrelid = 'sites'::regclass),
       (select count(*) from pg_proc where oid >= 16384), (select count(*) from pg_type where oid >= 16384),
       (select count(*) from pg_trigger), (select count(*) from pg_policy), (select count(*) from pg_default_acl),
       (select count(*) from pg_largeobject_metadata), (select string_agg(seqincrement::text, ',') from pg_sequence),
       (select string_agg(nspname, ',' order by 1) from pg_namespace where nspname !~ '^pg_(toast_)?temp'),
       obj_description('sites'::regclass), current_setting('search_path')
"""
INSERT = "insert into sites (name, url) values ('New', 'https://new.example.org/')"
# What a trial may do to a database, from nothing at all to what no TRUNCATE brings back.
DEEDS = {
    "nothing": "select count(*) from sites",
    "insert": INSERT,
    "insert, rolled back": f"begin; {INSERT}; rollback",
    "number drawn": "select nextval('sites_id_seq')",
    "number set": "select setval('sites_id_seq', 5000, false)",
    "update": f"{INSERT}; update sites set name = 'Other'",
    "same values again": "update sites set name = name",
    "delete": f"{INSERT}; delete from sites",
    "truncate": "truncate sites",
    "truncate, numbers too": "truncate sites restart identity",
    "table": "create table extra (id int); insert into extra values (1)",
    "table dropped": "drop table sites",
    "table made anew": "drop table sites; create table sites (id int)",
    "table renamed": "alter table sites rename to places",
    "column": "alter table sites add column extra text",
    "default": "alter table sites alter column status set default 'paused'",
    "constraint": "alter table sites drop constraint sites_url_key",
    "row security": "alter table sites enable row level security",
    "policy": "create policy mine on sites using (true)",
    "trigger": "create function f() returns trigger language plpgsql as 'begin return null; end'; "
    "create trigger t before insert on sites execute function f()",
    "index": "create index extra on sites (name)",
    "schema": "create schema extra; create table extra.sites (id int)",
    "schema dropped": "drop schema public cascade",
    "function": "create function count_sites() returns bigint language sql as 'select 0::bigint'",
    "view": "create view extra as select * from sites",
    "type": "create type mood as enum ('fine')",
    "sequence": "create sequence extra",
    "sequence's step": "alter sequence sites_id_seq increment by 7",
    "grant": "grant select on sites to public",
    "default grants": "alter default privileges grant select on tables to public",
    "comment": "comment on table sites is 'seen'",
    "large object": "select lo_from_bytea(0, 'x')",
    "database's setting": "do $$ begin "
    "execute format('alter database %I set search_path = extra', current_database()); end $$",
}


@pytest.fixture(scope="module")
def _slots(pair: Pair) -> Iterator[tuple[Slot, ...]]:
    with open_slots(pair, 2) as slots:
        yield slots


@pytest.fixture
def slot(_slots: tuple[Slot, ...]) -> Slot:
    """A slot as it began."""
    _slots[0].reset()
    return _slots[0]


@pytest.fixture
def neighbour(_slots: tuple[Slot, ...]) -> Slot:
    """Another slot as it began."""
    _slots[1].reset()
    return _slots[1]


def do(side: Side, statements: str) -> None:
    with connect(side.url(), application="trial") as connection:
        connection.execute(statements.encode())


def looks(side: Side) -> object:
    """What a client sees of a database: definitions, settings, rows, the next number; or that the table is gone."""
    try:
        return _looks(side)
    except psycopg.Error as error:
        return type(error)


def _looks(side: Side) -> object:
    with connect(side.url()) as connection:
        content = connection.execute(CONTENT).fetchall()
        catalogs = connection.execute(RELATIONS).fetchall()
        definitions = connection.execute(DEFINITIONS).fetchall()
        return (content, catalogs, definitions)


@pytest.mark.parametrize("name", SIDES)
@pytest.mark.parametrize("deed", DEEDS)
def test_a_reset_brings_back_how_it_began(slot: Slot, name: SideName, deed: str) -> None:
    """Whatever was done to a side, after a reset it looks as it did at first, down to the next number."""
    side = {"production": slot.production, "test": slot.test}[name]
    before = looks(side)
    do(side, DEEDS[deed])
    slot.reset()
    assert looks(side) == before


@pytest.mark.parametrize("deed", [deed for deed in DEEDS if deed not in ("nothing", "same values again")])
def test_what_a_reset_undoes_can_be_seen(slot: Slot, deed: str) -> None:
    """The comparison that finds nothing after a reset finds each deed before it."""
    before = looks(slot.production)
    do(slot.production, DEEDS[deed])
    assert looks(slot.production) != before


def test_sites_are_counted_in_a_slot_and_in_a_pair(slot: Slot, pair: Pair) -> None:
    """Each side's own server says how many sites there are, and that there is no table."""
    slot.reset()
    with connect(slot.production.url()) as connection:
        connection.execute(INSERT)
    with connect(slot.test.url()) as connection:
        connection.execute("drop table if exists sites")
    assert count_sites(slot) == {"production": 732, "test": None}
    slot.reset()
    assert count_sites(slot) == count_sites(pair)
    assert count_sites(pair)["production"] == 731


def test_slots_start_with_the_pairs_content(slot: Slot, pair: Pair) -> None:
    """A slot's production has the 731 rows of the pair's, its test side none, on the pair's servers."""
    for side, same in zip(slot.sides, pair.sides, strict=True):
        with connect(side.url()) as here, connect(same.url()) as there:
            content = "select md5(string_agg(sites::text, ',' order by id)), count(*) from sites"
            assert here.execute(content).fetchall() == there.execute(content).fetchall()
        assert side.identity.server == same.identity.server
        assert side.identity.database == side.database != same.database
        assert (side.user, side.password, side.admin, side.log) == (same.user, same.password, same.admin, same.log)


def test_a_slot_is_a_pair(slot: Slot, pair: Pair) -> None:
    """Everything that takes a pair takes a slot: the same attributes, the environment."""
    assert isinstance(slot, Pair)
    assert (slot.kind, slot.writable) == (pair.kind, pair.writable)
    assert slot.environ()["KIT_TEST_URL"] == slot.test.url()
    assert slot.test.password not in repr(slot)


def test_slots_do_not_meet(slot: Slot, neighbour: Slot) -> None:
    """What is written in one slot is not seen in another, nor is it lost when the other is reset."""
    do(slot.test, INSERT)
    before = looks(neighbour.test)
    neighbour.reset()
    assert looks(neighbour.test) == before
    with connect(slot.test.url()) as connection:
        assert connection.execute("select count(*) from sites").fetchone() == (1,)


def test_a_neighbours_writes_cost_no_reset(slot: Slot, neighbour: Slot) -> None:
    """A write in another slot does not make this one's tables be filled again."""
    with connect(slot.production.url()) as connection:
        before = connection.execute("select min(xmin::text), pg_relation_filenode('sites') from sites").fetchone()
    do(neighbour.production, INSERT)
    slot.reset()
    with connect(slot.production.url()) as connection:
        assert (
            connection.execute("select min(xmin::text), pg_relation_filenode('sites') from sites").fetchone() == before
        )


@pytest.mark.parametrize("deed", ["insert", "table"])
def test_a_reset_ends_sessions_that_hold_on(slot: Slot, deed: str) -> None:
    """A transaction left open, with its locks, neither blocks a reset nor survives it."""
    for side in slot.sides:
        with psycopg.connect(side.url()) as held:
            held.execute("lock table sites in access exclusive mode")
            held.execute(DEEDS[deed].encode())
            slot.reset()
            with pytest.raises(psycopg.OperationalError):
                held.execute("select 1")
    with connect(slot.production.url()) as connection:
        assert connection.execute("select count(*) from sites").fetchone() == (731,)


def test_ending_sessions_ends_this_slots_and_no_others(slot: Slot, neighbour: Slot) -> None:
    """Every session in the slot's databases ends, on both servers, and none elsewhere."""
    mine = [psycopg.connect(side.url(), autocommit=True) for side in slot.sides for _ in range(2)]
    others = [psycopg.connect(side.url(), autocommit=True) for side in neighbour.sides]
    assert slot.end_sessions() == 4
    assert slot.end_sessions() == 0
    for connection in mine:
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
        connection.close()
    for connection in others:
        connection.execute("select 1")
        connection.close()


def test_a_reset_survives_a_server_that_closed_every_connection(slot: Slot) -> None:
    """After a crash of the server, which closes the slot's own sessions too, a reset opens new ones."""
    own = [one.info.backend_pid for one in (slot.keepers[1].inside, slot.keepers[1].outside) if one is not None]
    assert len(own) == 2
    with connect(slot.test.admin or "") as connection:
        connection.execute("select pg_terminate_backend(pid) from unnest(%s) as pid", (own,))
    do(slot.test, INSERT)
    slot.reset()
    with connect(slot.test.url()) as connection:
        assert connection.execute("select count(*) from sites").fetchone() == (0,)


def test_a_slot_can_be_sent_to_another_process(slot: Slot) -> None:
    """A copy by pickle resets the same databases."""
    copy = pickle.loads(pickle.dumps(slot))
    assert copy == slot
    do(slot.test, INSERT)
    copy.reset()
    with connect(slot.test.url()) as connection:
        assert connection.execute("select count(*) from sites").fetchone() == (0,)
    for keeper in copy.keepers:
        keeper.close()


def test_a_setting_of_the_role_is_undone() -> None:
    """What a trial sets for its role, which all slots share, is gone after a reset."""
    with open_embedded() as alone, open_slots(alone, 1) as (one,):
        before = looks(one.test)
        do(one.test, "alter role current_user set search_path = extra")
        assert looks(one.test) != before
        one.reset()
        assert looks(one.test) == before


def test_slots_are_reset_side_by_side(slot: Slot, neighbour: Slot) -> None:
    """Resets of several slots at once, each the most thorough one, do not disturb each other."""
    errors: list[Exception] = []

    def again(one: Slot) -> None:
        try:
            for _ in range(3):
                do(one.test, DEEDS["table"])
                one.reset()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=again, args=(one,)) for one in (slot, neighbour)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_closed_slots_leave_no_database(pair: Pair) -> None:
    """At the end the slots' databases are gone, even with sessions in them, and only the template is left."""
    with open_slots(pair, 1) as (one,):
        held = psycopg.connect(one.test.url())
    with connect(pair.test.admin or "") as connection:
        names = {name for (name,) in connection.execute("select datname from pg_database")}
    assert one.test.database not in names
    assert TEMPLATE in names
    held.close()


def test_the_template_lets_nobody_in(pair: Pair) -> None:
    """Nobody connects to the template, so that it can always be cloned."""
    with open_slots(pair, 1), pytest.raises(PairError, match="not currently accepting connections"):
        connect((pair.test.admin or "").removesuffix("/postgres") + f"/{TEMPLATE}")


def test_the_log_tells_slots_apart(slot: Slot) -> None:
    """The server's entries of a slot are those with its database's name."""
    assert slot.test.log is not None
    log = ServerLog(slot.test.log)
    start = log.position()
    do(slot.test, "select 'from this slot'")
    texts = [line.text for line in log.read(start) if line.database == slot.test.database and line.kind == "statement"]
    assert texts == ["select 'from this slot'"]


def test_a_reset_is_not_logged_as_statements(slot: Slot) -> None:
    """The kit's own work on a slot stays out of the second witness, but for its connections."""
    assert slot.production.log is not None
    log = ServerLog(slot.production.log)
    do(slot.production, DEEDS["table"])
    start = log.position()
    slot.reset()
    assert [line for line in log.read(start) if line.kind == "statement" and line.application == "kit-slot"] == []
