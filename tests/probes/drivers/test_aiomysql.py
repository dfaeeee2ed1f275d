"""aiomysql, by each of its interfaces, on a small server of MySQL's protocol, with the probes and under the guard."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kit.probes.drivers.aiomysql import NO_PROBE
from kit.probes.interventions import INTERVENTIONS_VARIABLE
from kit.probes.interventions.base import Intervention
from kit.probes.interventions.connections import NoPool, RedirectConnection, RedirectEngine
from tests.probes.drivers.mysql import SERVER
from tests.probes.seen import Seen, run
from tests.projects import LIGHT

GIVEN = """\
import asyncio, server, warnings
import aiomysql, sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

def given(database="shop", **more):
    return dict(host="127.0.0.1", port=server.PORT, user="me", password="hidden99", db=database, **more)

def url(database):
    return f"mysql+aiomysql://me:hidden99@127.0.0.1:{server.PORT}/{database}"
"""
PROGRAM = f"""\
{GIVEN}
warnings.simplefilter("error")

async def by_connect():
    async with aiomysql.connect(**given(), init_command="select 1") as connection:
        print(type(connection), connection._result, connection.server_status, connection.get_autocommit())
        async with connection.cursor() as cursor:
            await cursor.execute("insert into t values (%s)", (1,))
            await cursor.execute("select 1")
            print(await cursor.fetchall())
        await connection.select_db("shop")

async def by_class():
    connection = aiomysql.Connection(**given())
    await connection._connect()
    print(await connection.query("select 2"), connection._result.rows)
    connection.close()

async def by_pool():
    async with aiomysql.create_pool(minsize=2, maxsize=3, **given()) as pool:
        async with pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute("select 3")
            print(await cursor.fetchall(), pool.size, pool.freesize)

async def by_engine():
    engine = create_async_engine(url("shop"))
    async with engine.connect() as connection:
        print((await connection.execute(sqlalchemy.text("select 4"))).scalar())
    await engine.dispose()

async def fails():
    try:
        await aiomysql.connect(**{{**given(), "port": 1}})
    except aiomysql.OperationalError as error:
        print(error.args[0])

for way in (by_connect, by_class, by_pool, by_engine, fails):
    asyncio.run(way())
print([text for text in server.heard if "@@server_uuid" not in text])
"""


def both(tmp_path: Path, program: str = PROGRAM) -> Seen:
    """The program with the probes in; without them it prints the same."""
    seen = run(tmp_path / "with", {"server.py": SERVER, "it.py": program}, "it.py")
    without = run(tmp_path / "without", {"server.py": SERVER, "it.py": PROGRAM}, "it.py", probes=False)
    assert seen.output == without.output
    assert "hidden99" not in seen.text()
    return seen


def test_each_interface_is_seen(tmp_path: Path) -> None:
    """Each connection is asked before all else, and its use told; the program sees no difference."""
    seen = both(tmp_path)
    opened = seen.of("connection")
    functions = [seen.places(event)[0].partition(" ")[2] for event in opened]
    assert functions == ["by_connect", "by_class", "by_pool", "by_pool", "by_engine"]
    assert {event["driver"] for event in opened} == {"aiomysql"}
    assert {(one["observed"]["system_identifier"], one["observed"]["database"]) for one in opened} == {
        ("0123-4567", "shop"),
    }  # fmt: skip
    assert {event["peer"][0] for event in opened} == {"127.0.0.1"}
    assert [event["pooled"] for event in opened] == [False] * 4 + [True]
    pool, engine = seen.of("engine")
    assert (pool["dialect"], pool["url"].partition("@")[0]) == ("mysql", "mysql://me")
    assert [event["engine"] for event in opened] == [None, None, pool["engine"], pool["engine"], None]
    used = {(event["connection"], event["engine"], event["writes"]) for event in seen.of("use")}
    first, _, third, _, last = (event["connection"] for event in opened)
    assert {(first, None, True), (third, pool["engine"], False), (last, engine["engine"], False)} <= used
    failed = seen.one("connection_failed")
    assert (failed["driver"], seen.places(failed)[0].partition(" ")[2]) == ("aiomysql", "fails")


TESTS = f"""\
{GIVEN}
import pytest

async def query(statement, *name, **more):
    async with aiomysql.connect(**given(*name, **more)) as connection:
        await connection.query(statement)

async def by_connect(name): await query("select 'of the tests'", name)
async def by_use(name): await query(f"use `{{name}}`", "shop_test")
async def by_first_command(name): await query("select 1", "shop_test", init_command=f"use {{name}}")
async def by_drop(name): await query(f"drop schema if exists {{name}}", "shop_test")

async def by_class(name):
    connection = aiomysql.Connection(**given(name))
    try:
        await connection._connect()
    finally:
        connection.close()

async def by_select_db(name):
    async with aiomysql.connect(**given("shop_test")) as connection:
        await connection.select_db(name)

async def by_pool(name):
    async with aiomysql.create_pool(**given(name)) as pool:
        async with pool.acquire() as connection:
            await connection.query("select 'of the tests'")

async def by_creator(name):
    engine = create_async_engine("mysql+aiomysql://", async_creator=lambda: aiomysql.connect(**given(name)))
    async with engine.connect() as connection:
        await connection.execute(sqlalchemy.text("select 'of the tests'"))
    await engine.dispose()

WAYS = [by_connect, by_class, by_select_db, by_use, by_first_command, by_drop, by_pool, by_creator]

@pytest.mark.parametrize("name", ["shop", "shop_test"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_reach(way, name):
    server.heard.clear()
    try:
        asyncio.run(way(name))
    finally:
        assert name == "shop_test" or not [text for text in server.heard if re.search("of the tests|shop`?$", text)]
"""


def test_another_database_is_stopped(tmp_path: Path) -> None:
    """A database that is not listed is neither connected to, nor gone over to, nor dropped, by any interface."""
    (tmp_path / "test_it.py").write_text(TESTS.replace("import pytest", "import pytest, re"))
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "pytest.ini").write_text("[pytest]\ndb_guard_allow = 127.0.0.1:*/shop_test\n")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "--db-guard", *LIGHT], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, timeout=120,
    )  # fmt: skip
    found = re.findall(r"^(PASSED|FAILED) test_it.py::test_reach\[(\w+)-(\w+)\]", ended.stdout, re.MULTILINE)
    assert len(found) == 16, ended.stdout
    assert {(name, end) for end, _, name in found} == {("shop", "FAILED"), ("shop_test", "PASSED")}, ended.stdout
    assert "AssertionError" not in ended.stdout


LED = f"""\
{GIVEN}
async def meant(): return await aiomysql.connect(**given("shop_test"))

async def astray(): return await aiomysql.connect(**given())

async def by_position():
    connection = aiomysql.Connection("127.0.0.1", "me", "hidden99", "shop", server.PORT, None)
    await connection._connect()
    return connection

async def by_pool():
    pool = await aiomysql.create_pool(minsize=0, **given())
    return await pool.acquire()

async def main():
    for opened in (astray, meant, astray, by_position, by_pool):
        try:
            (await opened()).close()
        except aiomysql.OperationalError as error:
            print(opened.__name__, error)

asyncio.run(main())
"""
LINES = {name: 1 + LED.split("\n").index(text) for name, text in {
    "meant": 'async def meant(): return await aiomysql.connect(**given("shop_test"))',
    "astray": "async def astray(): return await aiomysql.connect(**given())",
    "by_position": '    connection = aiomysql.Connection("127.0.0.1", "me", "hidden99", "shop", server.PORT, None)',
    "by_pool": "    pool = await aiomysql.create_pool(minsize=0, **given())",
}.items()}  # fmt: skip


def rerun(tmp_path: Path, wanted: Intervention, program: str = LED) -> Seen:
    """A re-run of the program with one intervention, which has had an effect."""
    file = tmp_path / "interventions.json"
    file.write_text(json.dumps([wanted.placed(str(tmp_path / "project")).as_json()]))
    environ = {INTERVENTIONS_VARIABLE: str(file)}
    seen = run(tmp_path, {"server.py": SERVER, "it.py": program}, "it.py", environ=environ)
    assert {event["op"] for event in seen.of("change")} == {wanted.op}
    return seen


def test_one_functions_connections_lead_where_the_tests_lead(tmp_path: Path) -> None:
    """Once the tests' line has connected, the function's connections go there, too, and nobody else's do."""
    seen = rerun(tmp_path, RedirectConnection("it.py", "astray", "it.py", LINES["meant"]))
    answered = [event["observed"]["database"] for event in seen.of("connection")]
    assert answered == ["shop", "shop_test", "shop_test", "shop", "shop"]


@pytest.mark.parametrize("led", ["astray", "by_position", "by_pool"])
def test_what_a_line_opens_is_led_to_no_server(tmp_path: Path, led: str) -> None:
    """A place that is given by position, or to a pool, is led elsewhere as one that is given by keyword."""
    seen = rerun(tmp_path, RedirectEngine((("it.py", LINES[led]),)))
    assert {line.split()[0] for line in seen.output.splitlines()} == {led}
    assert len(seen.of("connection")) == (3 if led == "astray" else 4)
    assert "127.0.0.1" in seen.output


POOLED = f"""\
{GIVEN}
async def main():
    pool = await aiomysql.create_pool(minsize=1, maxsize=1, **given())
    for _ in range(3):
        async with pool.acquire() as connection:
            await connection.query("select 1")
    pool.close()
    await pool.wait_closed()
    print("done")

asyncio.run(main())
"""


def test_a_pool_keeps_no_connection_in_a_re_run_without_pools(tmp_path: Path) -> None:
    """Each that is asked for is another one, and the pool ends as it would."""
    seen = rerun(tmp_path, NoPool(), POOLED)
    assert seen.output == "done\n"
    assert len(seen.of("connection")) == 3


TASKS = f"""\
{GIVEN}
import threading

async def reach():
    async with aiomysql.connect(**given()) as connection:
        for _ in range(5):
            await connection.query("select 1")

async def main(): await asyncio.gather(*(reach() for _ in range(4)))

threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
"""


def test_connections_of_tasks_and_threads_are_told_apart(tmp_path: Path) -> None:
    """Each is asked for itself, on its own loop, and its use is its own."""
    seen = run(tmp_path, {"server.py": SERVER, "it.py": TASKS}, "it.py")
    opened = seen.of("connection")
    assert seen.output == "done\n"
    assert (len(opened), len({event["loop"] for event in opened})) == (16, 4)
    assert {event["connection"] for event in seen.of("use")} == {event["connection"] for event in opened}


def test_a_probe_that_fails_is_switched_off(tmp_path: Path) -> None:
    """Where the driver is not as the probe knows it, the program goes on, and it is said that nobody was asked."""
    broken = 'import sys\nvars(sys.modules["_isolation_probes.drivers.aiomysql"])["_ask"] = None\n' + PROGRAM
    seen = both(tmp_path, broken)
    assert list(seen.one("end")["failures"]) == ["Aiomysql._answer"]
    assert {(event["observed"], event["why_not"]) for event in seen.of("connection")} == {(None, NO_PROBE)}


def test_a_server_that_gives_no_answer_is_connected_to_once_more(tmp_path: Path) -> None:
    """The connection that was asked is closed, and the application's is another one, of which nobody knows more."""
    answering = "            row = next("
    silent = SERVER.replace(answering, f"            if b'@@hostname' in words: continue\n{answering}")
    assert silent != SERVER
    at_once = 'import sys\nvars(sys.modules["_isolation_probes.drivers.aiomysql"])["SECONDS_FOR_AN_ANSWER"] = 0.2\n'
    asks = "async def main(): print(await (await aiomysql.connect(**given())).query('select 1'))\nasyncio.run(main())\n"
    program = at_once + GIVEN + asks
    seen = run(tmp_path, {"server.py": silent, "it.py": program}, "it.py")
    assert seen.output == "1\n"
    opened = seen.one("connection")
    assert opened["observed"] is None
    assert "did not answer" in opened["why_not"]
