"""A database is known by what it said of itself, and judged by the patterns that were given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from kit.analysis.databases import Allowed, Database, databases
from kit.evidence.model import Connection, Evidence
from kit.probes import allow
from kit.probes.peers import Peer
from tests.allowed import FILES, SERVERS

SERVER: dict[str, str | None] = {
    "system_identifier": "7385720384756123", "cluster_name": "kit-test", "timeline": "1", "standby": "false",
    "host": "10.0.0.5", "port": "5432", "database": "testdb", "backend_pid": "7",
}


def found(*connections: tuple[str, str, dict[str, str | None] | None], folder: str = "/project") -> list[Database]:
    """The databases behind connections of (driver, configured, observed)."""
    evidence = Evidence(connections=tuple(
        Connection(at_s=0.0, connection=f"c{number}", driver=driver, configured=configured, observed=observed)
        for number, (driver, configured, observed) in enumerate(connections)
    ))
    return list(databases(evidence, folder).values())


def test_two_names_of_one_server_are_one_database() -> None:
    """What the server says decides, whatever place it was asked for at."""
    one, other = found(
        ("asyncpg", "postgresql://me@localhost:5433/testdb", SERVER),
        ("psycopg", "postgresql://you@db:6000/testdb", {**SERVER, "backend_pid": "8"}),
    )
    assert one == other
    assert len(one.asked) == 2


def test_one_place_with_two_servers_is_two_databases() -> None:
    """Where another server answers at the same place, it is another database."""
    one, other = found(
        ("asyncpg", "postgresql://me@localhost:5433/testdb", SERVER),
        ("asyncpg", "postgresql://me@localhost:5433/testdb", {**SERVER, "system_identifier": "7999999999999999"}),
    )
    assert one.id != other.id


def test_a_file_is_named_from_the_folder_of_the_command() -> None:
    """A file is its absolute path, and is called by its path from the folder where it lies in it."""
    inside, outside = found(
        ("sqlite3", "x.db", {"file": "/project/x.db"}), ("sqlite3", "/tmp/y.db", {"file": "/tmp/y.db"}),
    )
    assert (inside.name, inside.path, outside.name) == ("x.db", "/project/x.db", "/tmp/y.db")


def test_each_connection_to_memory_is_a_database_of_its_own() -> None:
    """Two connections to memory share nothing, unless they name a shared one."""
    one, other, shared, same = found(
        ("sqlite3", ":memory:", {"file": None}), ("sqlite3", ":memory:", {"file": None}),
        ("sqlite3", "file:a?mode=memory&cache=shared", {"file": None}),
        ("sqlite3", "file:a?mode=memory&cache=shared", {"file": None}),
    )
    assert one.id != other.id
    assert shared.id == same.id
    assert not one.lives_on


def test_a_stand_in_is_no_database() -> None:
    """What a test puts in an engine's place connects to nothing."""
    assert found(("<MagicMock name='mock' id='1'>", "<MagicMock>", None)) == []


@pytest.mark.parametrize(("entry", "configured", "observed", "peer", "allowed"), SERVERS)
def test_a_server_is_judged_as_the_guard_judges_it(
    entry: str, configured: str, observed: dict[str, str | None] | None, peer: Peer | None, allowed: bool
) -> None:
    """An entry means the same to a trace as to what stops connections."""
    driver = configured.partition(":")[0]
    connection = Connection(
        at_s=0.0, connection="c1", driver=driver, configured=configured, observed=observed, peer=peer
    )
    (database,) = databases(Evidence(connections=(connection,)), "/srv/app").values()
    assert Allowed((entry,), "/srv/app").judge(database) is allowed


@pytest.mark.parametrize(("entry", "path", "allowed"), FILES)
def test_a_file_is_judged_as_the_guard_judges_it(entry: str, path: str, allowed: bool) -> None:
    """An entry for a file means the same to a trace as to what stops connections."""
    (database,) = found(("sqlite3", path, {"file": path}), folder="/srv/app")
    assert Allowed((entry,), "/srv/app").judge(database) is allowed


def test_entries_that_no_database_matched_are_known() -> None:
    """Of what was allowed, the entries that matched none of the databases reached are named, as they were written."""
    reached = found(
        ("sqlite3", "x.db", {"file": "/project/x.db"}), ("asyncpg", "postgresql://me@localhost:5433/testdb", SERVER)
    )
    allowed = Allowed(("*.db", "other.db", "localhost:5433/testdb", "localhost:5433/prod", "sqlite://"), "/project")
    assert allowed.idle(reached) == ("other.db", "localhost:5433/prod")


def test_the_list_is_read_once() -> None:
    """However many databases are judged, the entries are read once."""
    allowed = Allowed(("test.db", "localhost:5433/testdb"), "/project")
    assert allowed.entries is Allowed(("test.db", "localhost:5433/testdb"), "/project").entries


def test_nothing_is_judged_where_nobody_has_said() -> None:
    """Without patterns there is no judgement, and memory is allowed by any."""
    file, memory = found(("sqlite3", "x.db", {"file": "/project/x.db"}), ("sqlite3", ":memory:", {"file": None}))
    assert Allowed(None).judge(file) is None
    assert Allowed(("other.db",), "/project").judge(memory) is True


def test_the_list_is_read_once_and_each_way_to_a_database_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that reaches its databases thousands of times costs as many judgements as there are ways to them."""
    done: Counter[str] = Counter()

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            done[function.__name__] += 1
            return function(*arguments)

        return call

    for name in ("rules", "place_of", "_file_patterns"):
        monkeypatch.setattr(allow, name, counted(getattr(allow, name)))
    urls = [f"postgresql://me@localhost:{port}/testdb" for port in (5433, 5434)]
    server, _ = found(*(("asyncpg", url, SERVER) for url in urls))
    (file,) = found(("sqlite3", "x.db", {"file": "/project/x.db"}))
    allowed = Allowed(("localhost:5433/of_this_test", "x.db"), "/project")
    assert {(allowed.judge(server), allowed.judge(file)) for _ in range(1000)} == {(False, True)}
    assert done == {"rules": 1, "_file_patterns": 1, "place_of": len(urls)}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (("127.0.0.1:5433/shop",), {"port": "5433"}),
        (("db.test:5433/shop_test", "127.0.0.1:5432/shop_test"), {"database": "shop_test"}),
        (("127.0.0.1:*/shop_*",), {"database": ""}),
        (("*:5432/shop",), {}),
        (("*/test.db",), {}),
        (("shop_test",), {"database": "shop_test"}),
    ],
)
def test_what_differs_from_the_entry_next_to_it(entries: tuple[str, ...], expected: dict[str, str]) -> None:
    """Host, port or database, whichever another entry names differently, with what it names; "" for a pattern."""
    assert Allowed(entries, "/project").differing("postgresql://app@127.0.0.1:5432/shop") == expected


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (("kit-test/shop_test",), {"database": "shop_test"}),
        (("kit-*/shop_*",), {"database": ""}),
        (("kit-other/shop_test",), {}),
    ],
)
def test_what_differs_from_an_entry_with_its_own_name(entries: tuple[str, ...], expected: dict[str, str]) -> None:
    """The server is the right one: it is its database that the entry names differently."""
    url, observed = "postgresql://app@127.0.0.1:5432/shop", {"cluster_name": "kit-test", "database": "shop"}
    assert Allowed(entries, "/project").differing(url, observed) == expected


def test_a_file_that_no_probe_identified_is_the_one_that_was_asked_for() -> None:
    """A path that a driver was given is a file, from the folder of the command, and is said to be unobserved."""
    (file,) = found(("sqlite3", "x.db", None))
    assert (file.path, file.observed) == ("/project/x.db", False)
