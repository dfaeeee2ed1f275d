"""The probes on live Postgres servers: every driver, asked by itself, and left as it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kit.pair import Pair
from tests.probes.seen import PYTEST, Seen, run

WAYS = {
    "it.py": """\
        import asyncio, os
        import asyncpg, databases, psycopg, psycopg2, psycopg2.extras, psycopg2.pool, psycopg_pool, sqlalchemy, tortoise
        from sqlalchemy.ext.asyncio import create_async_engine

        URL = os.environ["TEST_DATABASE_URL"]

        def psycopg2_plain():
            connection = psycopg2.connect(URL)
            assert connection.get_transaction_status() == 0 and not connection.autocommit
            with connection.cursor() as cursor:
                cursor.execute("select 1")
            connection.close()

        def psycopg2_factory():
            connection = psycopg2.connect(URL, connection_factory=psycopg2.extras.LoggingConnection)
            assert isinstance(connection, psycopg2.extras.LoggingConnection)
            connection.initialize(open(os.devnull, "w"))
            connection.cursor().execute("select 1")
            connection.close()

        def psycopg2_pool():
            pool = psycopg2.pool.ThreadedConnectionPool(1, 1, URL)
            connection = pool.getconn()
            connection.cursor().execute("select 1")
            pool.putconn(connection)
            pool.closeall()

        def psycopg_plain():
            with psycopg.connect(URL) as connection:
                assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
                connection.execute("create temporary table t (x int)")

        async def psycopg_async():
            async with await psycopg.AsyncConnection.connect(URL, autocommit=True) as connection:
                await connection.execute("select 1")

        def psycopg_pooled():
            with psycopg_pool.ConnectionPool(URL, min_size=1, max_size=1, open=True) as pool:
                with pool.connection() as connection:
                    connection.execute("select 1")

        class Mine(asyncpg.Connection):
            async def fetch(self, *args, **kwargs):
                raise AssertionError("not for the probes")
            async def prepare(self, *args, **kwargs):
                raise AssertionError("not for the probes")

        async def asyncpg_plain():
            connection = await asyncpg.connect(URL, connection_class=Mine)
            assert not connection.is_in_transaction()
            assert await connection.fetchval("select count(*) from pg_prepared_statements") == 1  # this one
            await connection.execute("select $1::int", 1)
            await connection.close()

        async def asyncpg_pooled():
            async with asyncpg.create_pool(URL, min_size=3, max_size=3) as pool:
                await pool.execute("select 1")

        async def by_databases():
            async with databases.Database(URL, min_size=1) as database:
                await database.fetch_one("select 1")

        async def by_tortoise():
            await tortoise.Tortoise.init(db_url=URL.replace("postgresql:", "asyncpg:"), modules={"models": ["models"]})
            await tortoise.connections.get("default").execute_query("select 1")
            await tortoise.connections.close_all()

        def sqlalchemy_psycopg2():
            with sqlalchemy.create_engine(URL.replace("postgresql:", "postgresql+psycopg2:")).connect() as connection:
                connection.execute(sqlalchemy.text("select 1"))

        def sqlalchemy_psycopg():
            with sqlalchemy.create_engine(URL.replace("postgresql:", "postgresql+psycopg:")).connect() as connection:
                connection.execute(sqlalchemy.text("select 1"))

        async def sqlalchemy_asyncpg():
            engine = create_async_engine(URL.replace("postgresql:", "postgresql+asyncpg:"))
            async with engine.connect() as connection:
                await connection.execute(sqlalchemy.text("select 1"))
            await engine.dispose()

        def fails():
            for connect in (psycopg2.connect, psycopg.connect, lambda url: asyncio.run(asyncpg.connect(url))):
                try:
                    connect(URL.replace("@", "-wrong@"))
                except Exception as error:
                    print(type(error).__module__)

        for way in (psycopg2_plain, psycopg2_factory, psycopg2_pool, psycopg_plain, psycopg_pooled, sqlalchemy_psycopg2,
                    sqlalchemy_psycopg):
            way()
        for later in (psycopg_async, asyncpg_plain, asyncpg_pooled, by_databases, by_tortoise, sqlalchemy_asyncpg):
            asyncio.run(later())
        fails()
        """,
    "models.py": """\
        from tortoise import fields
        from tortoise.models import Model

        class Site(Model):
            id = fields.IntField(primary_key=True)
        """,
}


def urls(pair: Pair) -> Mapping[str, str]:
    """The variables that a project finds the servers by."""
    return {"TEST_DATABASE_URL": pair.test.url(), "PRODUCTION_DATABASE_URL": pair.production.url()}


@pytest.fixture(scope="module")
def seen(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return run(tmp_path_factory.mktemp("drivers"), WAYS, "it.py", environ=urls(pair))


def by_way(seen: Seen, kind: str) -> dict[str, list[dict[str, Any]]]:
    """Events by the function of the project that led to them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for event in seen.of(kind):
        names = [place.partition(" ")[2] for place in seen.places(event)]
        way = next((name for name in names if name not in ("<module>", "<lambda>")), names[0])
        found.setdefault(way, []).append(event)
    return found


@pytest.mark.parametrize(
    ("way", "driver", "pool"),
    [
        ("psycopg2_plain", "psycopg2", None), ("psycopg2_factory", "psycopg2", None),
        ("psycopg2_pool", "psycopg2", "psycopg2.pool.ThreadedConnectionPool"), ("psycopg_plain", "psycopg", None),
        ("psycopg_async", "psycopg", None), ("psycopg_pooled", "psycopg", "psycopg_pool.pool.ConnectionPool"),
        ("asyncpg_plain", "asyncpg", None), ("asyncpg_pooled", "asyncpg", "asyncpg.pool.Pool"),
        ("by_databases", "asyncpg", "asyncpg.pool.Pool"), ("by_tortoise", "asyncpg", "asyncpg.pool.Pool"),
        ("sqlalchemy_psycopg2", "psycopg2", "QueuePool"), ("sqlalchemy_psycopg", "psycopg", "QueuePool"),
        ("sqlalchemy_asyncpg", "asyncpg", "AsyncAdaptedQueuePool"),
    ],
)  # fmt: skip
def test_every_driver_is_asked(seen: Seen, pair: Pair, way: str, driver: str, pool: str | None) -> None:
    """Each way to a server is seen: who opened it, what the server said, one use, and the pool and its source."""
    opened, used = by_way(seen, "connection")[way][0], by_way(seen, "use")[way][0]
    assert opened["driver"] == driver
    assert opened["observed"]["system_identifier"] == pair.test.identity.system_identifier
    assert opened["observed"]["database"] == "testdb"
    assert opened["peer"] == [pair.test.host, str(pair.test.port), True]
    assert used["connection"] == opened["connection"]
    if pool is not None:
        (engine,) = by_way(seen, "engine")[way]
        assert (engine["pool"], engine["variables"]) == (pool, ["TEST_DATABASE_URL"])
        assert used["engine"] == engine["engine"]


HOSTADDR = """\
import os
import psycopg, psycopg2, sqlalchemy

url = os.environ["TEST_DATABASE_URL"]
away = url.replace("@127.0.0.1", "@db.example.org")
psycopg.connect(away, hostaddr="127.0.0.1").close()
psycopg2.connect(away, hostaddr="127.0.0.1").close()
sqlalchemy.create_engine(away.replace(":", "+psycopg:", 1) + "?hostaddr=127.0.0.1").connect().close()
os.environ["PGHOSTADDR"] = "127.0.0.1"
psycopg.connect(away).close()
psycopg2.connect(away).close()
"""


def test_an_address_that_goes_before_the_hosts_name_is_part_of_the_place(pair: Pair, tmp_path: Path) -> None:
    """`hostaddr` and PGHOSTADDR are written down beside the host that they overrule, with the peer."""
    seen = run(tmp_path, {"it.py": HOSTADDR}, "it.py", environ=urls(pair))
    opened = seen.evidence().connections
    assert len(opened) == 5
    for connection in opened:
        assert connection.configured.endswith("/testdb?hostaddr=127.0.0.1")
        assert "@db.example.org:" in connection.configured
        assert connection.peer == (pair.test.host, str(pair.test.port), True)


def test_a_pools_connections_are_all_seen(seen: Seen) -> None:
    """A pool that opens three connections at once shows three."""
    (engine,) = by_way(seen, "engine")["asyncpg_pooled"]
    assert len(seen.of("connection", engine=engine["engine"])) == 3


def test_what_could_not_be_opened_is_told(seen: Seen) -> None:
    """A refused log-in is told for each driver, without the password, and the program gets its own error."""
    failed = seen.of("connection_failed")
    assert [event["driver"] for event in failed] == ["psycopg2", "psycopg", "asyncpg"]
    assert {event["configured"].partition("@")[0] for event in failed} == {"postgresql://testuser:***"}
    assert [line.partition(".")[0] for line in seen.output.splitlines()] == ["psycopg2", "psycopg", "asyncpg"]


def test_no_password_is_written(seen: Seen, pair: Pair) -> None:
    """Whatever the driver, no password of a server is in the record."""
    assert str(pair.test.password) not in seen.text()
    assert str(pair.production.password) not in seen.text()


LOOPS = {
    "test_it.py": """\
        import asyncio, os
        import pytest
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(os.environ["TEST_DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:"))

        async def ask():
            async with engine.connect() as connection:
                await connection.execute(text("select 1"))
                await connection.execute(text("select 1"))

        def test_one(): asyncio.run(ask())

        def test_two(): asyncio.run(ask())
        """
}


def test_a_connection_on_another_loop_is_told(pair: Pair, tmp_path: Path) -> None:
    """A pooled connection that is used on another event loop than its own is told, with the test that does it."""
    seen = run(tmp_path, LOOPS, *PYTEST, environ=urls(pair), expect=1)
    event = seen.of("foreign_loop")[0]
    assert event["test"] == "test_it.py::test_two"
    assert event["opened_on"] != event["used_on"]
    assert event["connection"] == seen.of("connection")[0]["connection"]
    assert seen.places(event)[0].partition(" ")[2] == "ask"


TRANSACTIONS = {
    "test_it.py": """\
        import os
        import asyncpg, psycopg, pytest

        URL = os.environ["TEST_DATABASE_URL"]
        kept = []

        def test_left_open():
            connection = psycopg.connect(URL)
            connection.execute("select 1")
            kept.append(connection)

        def test_autocommit():
            kept.append(psycopg.connect(URL, autocommit=True))
            kept[-1].execute("select 1")

        def test_closed():
            kept[0].close()
            with psycopg.connect(URL) as writer, psycopg.connect(URL) as reader:
                writer.execute("create table seen_by_nobody (x int)")
                writer.commit()
                writer.execute("insert into seen_by_nobody values (1)")
                reader.execute("select * from seen_by_nobody")
                writer.commit()
                reader.execute("select * from seen_by_nobody where x = 1")
                reader.commit()
                writer.execute("drop table seen_by_nobody")
        """
}


def test_transactions_of_drivers_are_followed(pair: Pair, tmp_path: Path) -> None:
    """Without SQLAlchemy, too: a transaction left open, and rows that are not committed while another reads."""
    seen = run(tmp_path, TRANSACTIONS, *PYTEST, environ=urls(pair))
    assert [event["begun_in"] for event in seen.of("left_open")] == ["test_it.py::test_left_open"]
    (unseen,) = seen.of("unseen")
    assert (unseen["table"], unseen["test"]) == ("seen_by_nobody", "test_it.py::test_closed")
    assert unseen["reader"] != unseen["writer"]


def test_a_server_that_hides_its_number_is_asked_for_less(pair: Pair, tmp_path: Path) -> None:
    """Where the server does not give its number, it is asked for what it does give, by every driver."""
    admin = pair.test.admin
    assert admin is not None
    program = """\
        import asyncio, os
        import asyncpg, psycopg, psycopg2

        URL, ADMIN = os.environ["TEST_DATABASE_URL"].replace("/testdb", "/hiding"), os.environ["ADMIN"]

        with psycopg.connect(ADMIN, autocommit=True) as admin:
            admin.execute("create database hiding owner testuser")
            inside = psycopg.conninfo.make_conninfo(ADMIN, dbname="hiding")
            with psycopg.connect(inside, autocommit=True) as admin_inside:
                admin_inside.execute("revoke execute on function pg_control_system() from public")
            psycopg.connect(URL).close()
            psycopg2.connect(URL).close()

            async def later():
                await (await asyncpg.connect(URL)).close()

            asyncio.run(later())
            admin.execute("drop database hiding with (force)")
        """
    seen = run(tmp_path, {"it.py": program}, "it.py", environ={**urls(pair), "ADMIN": admin})
    asked = [event for event in seen.of("connection") if event["observed"].get("user") == "testuser"]
    assert [event["driver"] for event in asked] == ["psycopg", "psycopg2", "asyncpg"]
    assert {event["observed"].get("system_identifier") for event in asked} == {None}
    assert {event["observed"]["database"] for event in asked} == {"hiding"}


def test_asyncpg_is_asked_whatever_the_database_is_called(pair: Pair, tmp_path: Path) -> None:
    """A name with a tab, a line's end and a backslash comes back whole."""
    admin = pair.test.admin
    assert admin is not None
    program = """\
        import asyncio, os
        import asyncpg, psycopg
        from psycopg import sql

        ADMIN, NAME = os.environ["ADMIN"], "odd\\t\\n\\\\N"

        with psycopg.connect(ADMIN, autocommit=True) as admin:
            admin.execute(sql.SQL("create database {}").format(sql.Identifier(NAME)))

            async def later():
                await (await asyncpg.connect(ADMIN, database=NAME)).close()

            asyncio.run(later())
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(NAME)))
        """
    seen = run(tmp_path, {"it.py": program}, "it.py", environ={**urls(pair), "ADMIN": admin})
    by_psycopg, by_asyncpg = (event["observed"] for event in seen.of("connection"))
    assert by_asyncpg["database"] == "odd\t\n\\N"
    apart = {"database", "backend_pid"}
    assert {k: v for k, v in by_asyncpg.items() if k not in apart} == {
        k: v for k, v in by_psycopg.items() if k not in apart
    }


def test_asyncpg_is_asked_where_nothing_can_be_copied(pair: Pair, tmp_path: Path) -> None:
    """A server that knows no copy, as some have that only speak Postgres's protocol, is asked by a statement."""
    program = """\
        import asyncio, os
        import asyncpg

        class Copiless(asyncpg.Connection):
            async def _copy_out(self, *args, **kwargs):
                raise asyncpg.FeatureNotSupportedError("copy")

        async def later():
            connection = await asyncpg.connect(os.environ["TEST_DATABASE_URL"], connection_class=Copiless)
            assert await connection.fetchval("select count(*) from pg_prepared_statements") == 1  # this one
            await connection.close()

        asyncio.run(later())
        """
    seen = run(tmp_path, {"it.py": program}, "it.py", environ=urls(pair))
    assert seen.one("connection")["observed"]["system_identifier"] == pair.test.identity.system_identifier
