"""Drivers of servers: what a program sees of them with the probes in, and every way to a database, under the guard."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from kit.pair import Pair
from tests.live.test_probes import urls
from tests.probes.seen import run
from tests.projects import LIGHT

AS_IT_IS = """\
import inspect, os, pickle, traceback
import psycopg, psycopg2, psycopg2.extensions, psycopg2.extras

URL = os.environ["TEST_DATABASE_URL"]

class Final(type):
    def __init__(cls, name, bases, space):
        if any(isinstance(base, Final) for base in bases):
            raise TypeError("not to be derived from")
        super().__init__(name, bases, space)

class Own(psycopg2.extensions.connection, metaclass=Final):
    def cursor(self, *args, **kwargs):
        raise AssertionError("not for the probes")

print(pickle.loads(pickle.dumps(psycopg2.connect)) is psycopg2.connect, inspect.signature(psycopg2.connect))
print(type(psycopg2.connect(URL)), type(psycopg2.connect(URL, connection_factory=Own)) is Own)
print(type(psycopg2.extensions.connection.cursor).__name__, psycopg2.extensions.connection.__mro__)
connection = psycopg2.connect(URL, connection_factory=psycopg2.extras.LoggingConnection)
print(type(connection) is psycopg2.extras.LoggingConnection, type(connection.cursor).__name__)
connection = psycopg2.connect(URL)
print(type(connection.cursor).__name__, connection.get_transaction_status(), connection.autocommit, connection.notices)
try:
    connection.cursor().execute("no statement")
except psycopg2.Error as error:
    print(len(traceback.extract_tb(error.__traceback__)), error)
with psycopg.connect(URL) as connection:
    print(type(connection), type(connection.pgconn), inspect.signature(psycopg.connect))
    print(connection.info.transaction_status, connection.info.pipeline_status, connection.pgconn.nonblocking)
"""


def test_the_drivers_stay_what_they_are(pair: Pair, tmp_path: Path) -> None:
    """Connections keep their type, whatever makes them, functions their signature, errors their frames."""
    with_probes = run(tmp_path / "with", {"it.py": AS_IT_IS}, "it.py", environ=urls(pair))
    without = run(tmp_path / "without", {"it.py": AS_IT_IS}, "it.py", environ=urls(pair), probes=False)
    assert with_probes.output == without.output
    assert len(with_probes.of("connection")) == 5


ODD = """\
import asyncio, os, select
import psycopg, psycopg2, psycopg2.extensions, psycopg_pool

URL = os.environ["TEST_DATABASE_URL"]

class Unmade(psycopg2.extensions.connection):
    def __init__(self, *args, **kwargs):
        pass

class Closed(psycopg2.extensions.connection):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.close()

for factory in (Unmade, Closed, lambda *args, **kwargs: None):
    connection = psycopg2.connect(URL, connection_factory=factory)
    print(type(connection).__name__, getattr(connection, "closed", None))

calls = []
def wait(connection):
    calls.append(connection)
    if len(calls) % 2 == 0:
        raise ZeroDivisionError("the program's own")
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        ways = ([], [connection]) if state == psycopg2.extensions.POLL_WRITE else ([connection], [])
        select.select(*ways, [])

psycopg2.extensions.set_wait_callback(wait)
connection = psycopg2.connect(URL)
print(len(calls), connection.closed, psycopg2.extensions.get_wait_callback() is wait)
try:
    connection.cursor().execute("select 1")
except ZeroDivisionError as error:
    print(error)
psycopg2.extensions.set_wait_callback(None)

with psycopg_pool.ConnectionPool(lambda: URL, kwargs=lambda: {"autocommit": True}, min_size=1) as pool:
    with pool.connection() as connection:
        print(connection.autocommit, connection.execute("select 2").fetchone())

async def main():
    async def place():
        return URL
    async with psycopg_pool.AsyncConnectionPool(place, min_size=1) as pool:
        async with pool.connection() as connection:
            print(await (await connection.execute("select 3")).fetchone())
asyncio.run(main())
"""


def test_what_a_driver_allows_is_allowed(pair: Pair, tmp_path: Path) -> None:
    """Factories that give no connection, the program's own way to wait, places that are functions: all as without."""
    with_probes = run(tmp_path / "with", {"it.py": ODD}, "it.py", environ=urls(pair))
    without = run(tmp_path / "without", {"it.py": ODD}, "it.py", environ=urls(pair), probes=False)
    assert with_probes.output == without.output
    assert with_probes.of("not_seen", what="probe") == []
    assert len([seen for seen in with_probes.of("connection") if seen["observed"]]) == 3
    assert {seen["pool"] for seen in with_probes.of("engine")} >= {"psycopg_pool.pool.ConnectionPool"}


IN_THE_SAME_LOOP = """\
import asyncio, os, sys, urllib.parse
import asyncpg, psycopg

SILENT = sys.argv[1:] == ["silent"]
TO = urllib.parse.urlsplit(os.environ["TEST_DATABASE_URL"])

async def forward(source, target, drops):
    try:
        while data := await source.read(65536):
            if not (drops and b"which server is this?" in data):
                target.write(data)
                await target.drain()
    finally:
        target.close()

async def serve(reader, writer):
    other_reader, other_writer = await asyncio.open_connection(TO.hostname, TO.port)
    await asyncio.gather(forward(reader, other_writer, SILENT), forward(other_reader, writer, False))

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = TO._replace(netloc=f"{TO.username}:{TO.password}@127.0.0.1:{port}").geturl()
    connection = await psycopg.AsyncConnection.connect(url, connect_timeout=2)
    print(await (await connection.execute("select 1")).fetchone())
    await connection.close()
    print(await asyncio.to_thread(lambda: psycopg.connect(url, connect_timeout=3).execute("select 3").fetchone()))
    connection = await asyncpg.connect(url, timeout=3)
    print(await connection.fetchval("select 2"))
    await connection.close()

asyncio.run(main())
"""


def test_a_server_in_the_same_loop_is_asked(pair: Pair, tmp_path: Path) -> None:
    """The loop goes on while the server is asked, which may be the program's own, in that loop."""
    seen = run(tmp_path, {"it.py": IN_THE_SAME_LOOP}, "it.py", environ=urls(pair))
    assert seen.output.split() == ["(1,)", "(3,)", "2"]
    numbers = [event["observed"]["system_identifier"] for event in seen.of("connection")]
    assert numbers == [pair.test.identity.system_identifier] * 3


def test_a_server_that_does_not_answer_is_left(pair: Pair, tmp_path: Path) -> None:
    """Without an answer in time the program gets a connection that was not asked, which is said, and its own time."""
    seen = run(tmp_path, {"it.py": IN_THE_SAME_LOOP}, "it.py", "silent", environ=urls(pair))
    assert seen.output.split() == ["(1,)", "(3,)", "2"]
    found = seen.of("connection")
    assert [event["driver"] for event in found] == ["psycopg", "psycopg", "asyncpg"]
    for event in found:
        assert event["observed"] is None
        assert "did not answer" in event["why_not"]


EARLY = """\
from psycopg import connect
from psycopg2 import connect as connect2
"""
WAYS = """\
import asyncio, importlib, os, sys
import asyncpg, early, psycopg, psycopg2, psycopg2.extensions, pytest, sqlalchemy

STATEMENT = "select 'a statement of the tests'"

class Mine(psycopg2.extensions.connection):
    pass

def run(connection):
    cursor = connection.cursor()
    cursor.execute(STATEMENT)
    assert cursor.fetchone()[0].startswith("a statement")
    cursor.close()

def by_libpq(url):
    libpq = psycopg.pq.PGconn.connect(url.encode())
    assert libpq.exec_(STATEMENT.encode()).ntuples == 1

def by_libpq_in_steps(url):
    libpq = psycopg.pq.PGconn.connect_start(url.encode())
    while libpq.connect_poll() != psycopg.pq.PollingStatus.OK:
        pass
    assert libpq.exec_params(STATEMENT.encode(), []).ntuples == 1

def by_libpq_with_a_trace(url):
    libpq = psycopg.pq.PGconn.connect(url.encode())
    with open(f"{os.path.basename(url)}.trace", "w") as file:
        libpq.trace(file.fileno())
        assert libpq.exec_(STATEMENT.encode()).ntuples == 1
        libpq.untrace()
    assert "which server is this" not in open(file.name).read()

def by_connection_of_libpq(url): run(psycopg.Connection(psycopg.pq.PGconn.connect(url.encode())))

def by_class2(url): run(psycopg2.extensions.connection(url))

def by_subclass2(url): run(Mine(url))

def by_c2(url): run(psycopg2._psycopg._connect(url))

def by_class_of_libpq(url):
    libpq = psycopg.pq.PGconn.connect(url.encode())
    assert psycopg.pq.PGconn.exec_(libpq, STATEMENT.encode()).ntuples == 1

def by_class_of_cursors2(url):
    cursor = psycopg2.extensions.cursor(psycopg2.extensions.connection(url))
    psycopg2.extensions.cursor.execute(cursor, STATEMENT)

def in_a_pipeline(url):
    libpq = psycopg.pq.PGconn.connect(url.encode())
    libpq.enter_pipeline_mode()
    libpq.send_query_params(STATEMENT.encode(), [])
    libpq.pipeline_sync()

def by_early_name(url): run(early.connect(url))

def by_early_name2(url): run(early.connect2(url))

def reloaded2(url): run(importlib.reload(psycopg2).connect(url))

def by_creator(url):
    engine = sqlalchemy.create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.extensions.connection(url))
    with engine.connect() as connection:
        connection.exec_driver_sql(STATEMENT)

def anew(name):
    def by(url):
        kept = {key: sys.modules.pop(key) for key in list(sys.modules) if key.partition(".")[0].startswith(name)}
        try:
            run(importlib.import_module(name).connect(url))
        finally:
            sys.modules.update(kept)
    return by

anew_psycopg, anew_psycopg2 = anew("psycopg"), anew("psycopg2")
WAYS = dict(
    by_libpq_with_a_trace=by_libpq_with_a_trace, by_libpq=by_libpq, by_libpq_in_steps=by_libpq_in_steps,
    by_connection_of_libpq=by_connection_of_libpq, by_class_of_libpq=by_class_of_libpq,
    by_class_of_cursors2=by_class_of_cursors2, in_a_pipeline=in_a_pipeline, by_class2=by_class2,
    by_subclass2=by_subclass2, by_c2=by_c2, by_early_name=by_early_name, by_early_name2=by_early_name2,
    reloaded2=reloaded2, by_creator=by_creator, anew_psycopg=anew_psycopg, anew_psycopg2=anew_psycopg2,
)

@pytest.mark.parametrize("side", ["PRODUCTION", "TEST"])
@pytest.mark.parametrize("way", WAYS)
def test_reach(way, side):
    done = WAYS[way](os.environ[side])
    if done is not None:
        asyncio.run(done)
"""
OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR) test_it\.py::test_\w+\[(\w+)-(\w+)\]", re.MULTILINE)


def guarded(
    pair: Pair, folder: Path, files: dict[str, str], allow: str, *options: str, **environ: str
) -> tuple[dict[tuple[str, str], str], str]:
    """Run tests under the guard: how each ended, by its two parameters, and the output."""
    settings = f"[pytest]\naddopts = --db-guard -rA\ndb_guard_allow = {allow}\n"
    for name, text in {"pytest.ini": settings, **files}.items():
        (folder / name).write_text(text)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *LIGHT, *options], cwd=folder, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PRODUCTION": pair.production.url(), "TEST": pair.test.url(), **environ},
    )  # fmt: skip
    return {(way, side): end.lower() for end, way, side in OUTCOME.findall(ended.stdout)}, ended.stdout + ended.stderr


def place(side: object) -> str:
    return f"{side.host}:{side.port}/{side.database}"  # type: ignore[attr-defined]


def test_every_way_to_a_server_is_stopped(pair: Pair, tmp_path: Path) -> None:
    """Below the usual function, by a name that was bound before, imported anew: no statement gets there."""
    assert pair.production.log is not None
    begun = pair.production.log.stat().st_size
    found, output = guarded(pair, tmp_path, {"test_it.py": WAYS, "early.py": EARLY}, place(pair.test), "-p", "early")
    ways = re.findall(r"(\w+)=\1", WAYS)
    wanted = {(way, side): end for way in ways for side, end in (("PRODUCTION", "failed"), ("TEST", "passed"))}
    assert found == wanted, output
    with pair.production.log.open("rb") as log:
        log.seek(begun)
        assert b"a statement of the tests" not in log.read()


DROPPING = """\
import asyncio, os
import asyncpg, psycopg, psycopg2, pytest, sqlalchemy
from psycopg import sql
from psycopg2 import sql as sql2
from psycopg2.extensions import AsIs
from sqlalchemy.ext.asyncio import create_async_engine

URL = os.environ["MAINTENANCE"]
NAMES = {"other": "kept_other", "own": "kept_own"}

async def by_asyncpg(name):
    connection = await asyncpg.connect(URL)
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}"')

async def by_asyncpg_fetch(name):
    await (await asyncpg.connect(URL)).fetch(f"drop database {name} with (force)")

def by_psycopg(name):
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute(sql.SQL("drop /* a comment */ database {}").format(sql.Identifier(name)))

def by_libpq(name):
    psycopg.pq.PGconn.connect(URL.encode()).exec_(f"select 1; alter database {name} connection limit 5".encode())

def by_psycopg2(name):
    connection = psycopg2.connect(URL)
    connection.autocommit = True
    connection.cursor().execute("Drop Database %s", (AsIs(name),))

def by_psycopg2_sql(name):
    connection = psycopg2.connect(URL)
    connection.autocommit = True
    connection.cursor().execute(sql2.SQL("drop database {}").format(sql2.Identifier(name)))

def by_engine(name):
    for driver in ("psycopg2", "psycopg"):
        url = URL.replace("postgresql:", f"postgresql+{driver}:")
        engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(f"drop database if exists {name}"))
        engine.dispose()

async def by_async_engine(name):
    engine = create_async_engine(URL.replace("postgresql:", "postgresql+asyncpg:"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.exec_driver_sql(f"drop database {name}")

WAYS = dict(
    by_asyncpg=by_asyncpg, by_asyncpg_fetch=by_asyncpg_fetch, by_psycopg=by_psycopg, by_libpq=by_libpq,
    by_psycopg2=by_psycopg2, by_psycopg2_sql=by_psycopg2_sql, by_engine=by_engine, by_async_engine=by_async_engine,
)

@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", WAYS)
def test_drop(way, name):
    with psycopg.connect(URL, autocommit=True) as connection:
        if name == "own":
            connection.execute(f"create database {NAMES[name]}")
    done = WAYS[way](NAMES[name])
    if done is not None:
        asyncio.run(done)
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute("drop database if exists kept_own")

def test_words_are_no_statement():
    with psycopg.connect(URL) as connection:
        connection.execute("select 'drop database kept_other' as database -- drop database kept_other")
"""


def test_another_database_is_not_dropped_from_an_allowed_one(pair: Pair, tmp_path: Path) -> None:
    """A statement that drops, renames or makes what is not allowed is not sent, by any driver; what is allowed is."""
    import psycopg

    assert pair.test.admin is not None
    admin = psycopg.conninfo.conninfo_to_dict(pair.test.admin)
    server = f"{admin['host']}:{admin['port']}"
    with psycopg.connect(pair.test.admin, autocommit=True) as connection:
        connection.execute("create database kept_other")
        try:
            found, output = guarded(
                pair, tmp_path, {"test_it.py": DROPPING}, f"\n    {server}/{admin['dbname']}\n    {server}/kept_own",
                MAINTENANCE=pair.test.admin,
            )  # fmt: skip
            is_there = connection.execute("select 1 from pg_database where datname = 'kept_other'").fetchone()
        finally:
            connection.execute("drop database if exists kept_other")
            connection.execute("drop database if exists kept_own")
    assert is_there is not None, output
    ends = ("other", "failed"), ("own", "passed")
    wanted = {(way, name): end for way in re.findall(r"(\w+)=\1", DROPPING) for name, end in ends}
    assert found == wanted, output
    assert "PASSED test_it.py::test_words_are_no_statement" in output
    assert f"If it is a test database, allow it: {server}/kept_other" in output


DROPPING_ONE = """\
import asyncio, os
import asyncpg, psycopg, psycopg2

URL = os.environ["MAINTENANCE"]

async def by_asyncpg(): await (await asyncpg.connect(URL)).execute("drop database kept_from_reruns")

def by_psycopg(): psycopg.connect(URL, autocommit=True).execute("drop database kept_from_reruns")

def by_psycopg2():
    connection = psycopg2.connect(URL)
    connection.autocommit = True
    connection.cursor().execute("drop database kept_from_reruns")

for way in (lambda: asyncio.run(by_asyncpg()), by_psycopg, by_psycopg2):
    try:
        way()
    except Exception as error:
        print(type(error).__name__)
"""


def test_a_rerun_drops_nothing_that_is_not_allowed(pair: Pair, tmp_path: Path) -> None:
    """With the probes and an allow-list, as in the re-runs of a diagnosis, such a statement is not sent either."""
    import psycopg

    from kit.probes.allow import AllowList
    from kit.probes.gate import ALLOW_VARIABLE, allow_text

    assert pair.test.admin is not None
    admin = psycopg.conninfo.conninfo_to_dict(pair.test.admin)
    allow = allow_text(AllowList([f"{admin['host']}:{admin['port']}/{admin['dbname']}"], str(tmp_path)))
    with psycopg.connect(pair.test.admin, autocommit=True) as connection:
        connection.execute("create database kept_from_reruns")
        try:
            environ = {ALLOW_VARIABLE: allow, "MAINTENANCE": pair.test.admin}
            seen = run(tmp_path, {"it.py": DROPPING_ONE}, "it.py", environ=environ)
            found = connection.execute("select 1 from pg_database where datname = 'kept_from_reruns'").fetchone()
        finally:
            connection.execute("drop database if exists kept_from_reruns")
    assert found is not None
    assert seen.output.split() == ["DatabaseRefused"] * 3
    assert len(seen.of("refusal")) == 3
