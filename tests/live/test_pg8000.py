"""pg8000, by each of its interfaces, with the probes in and under the guard."""

from __future__ import annotations

from pathlib import Path

from kit.pair import Pair
from tests.live.test_drivers import guarded, place
from tests.live.test_probes import urls
from tests.probes.seen import run

PROGRAM = """\
import os, urllib.parse
import pg8000.dbapi, pg8000.native, sqlalchemy

URL = os.environ["TEST_DATABASE_URL"]
TO = urllib.parse.urlsplit(URL)
GIVEN = dict(user=TO.username, password=TO.password, host=TO.hostname, port=TO.port, database=TO.path[1:])

def native():
    connection = pg8000.native.Connection(**GIVEN)
    print(connection.run("select 1"), connection._usock.gettimeout())
    connection.close()

def dbapi():
    connection = pg8000.dbapi.connect(**GIVEN)
    cursor = connection.cursor()
    cursor.execute("create temporary table t (x int)")
    connection.rollback()
    print(type(connection), connection.notices)
    connection.close()

def by_engine():
    with sqlalchemy.create_engine(URL.replace("postgresql:", "postgresql+pg8000:")).connect() as connection:
        print(connection.execute(sqlalchemy.text("select 2")).scalar())

def fails():
    try:
        pg8000.dbapi.connect(**{**GIVEN, "database": "not_there"})
    except pg8000.dbapi.DatabaseError as error:
        print(error.args[0]["C"])

for way in (native, dbapi, by_engine, fails):
    way()
"""


def test_each_interface_is_seen(pair: Pair, tmp_path: Path) -> None:
    """Each connection is asked and its use told; the program sees no difference."""
    seen = run(tmp_path / "with", {"it.py": PROGRAM}, "it.py", environ=urls(pair))
    without = run(tmp_path / "without", {"it.py": PROGRAM}, "it.py", environ=urls(pair), probes=False)
    assert seen.output == without.output
    opened = seen.of("connection")
    assert [seen.places(event)[0].partition(" ")[2] for event in opened] == ["native", "dbapi", "by_engine"]
    assert {event["observed"]["system_identifier"] for event in opened} == {pair.test.identity.system_identifier}
    assert {tuple(event["peer"]) for event in opened} == {(pair.test.host, str(pair.test.port), True)}
    used = {(event["connection"], event["writes"]) for event in seen.of("use")}
    assert {(opened[0]["connection"], False), (opened[1]["connection"], True)} <= used
    assert seen.one("connection_failed")["driver"] == "pg8000"
    assert str(pair.test.password) not in seen.text()


TESTS = """\
import os, urllib.parse
import pg8000.dbapi, pg8000.native, pytest, sqlalchemy

def given(url):
    to = urllib.parse.urlsplit(url)
    return dict(user=to.username, password=to.password, host=to.hostname, port=to.port, database=to.path[1:])

def native(url): pg8000.native.Connection(**given(url)).run("select 'a statement of the tests'")

def dbapi(url): pg8000.dbapi.connect(**given(url)).cursor().execute("select 'a statement of the tests'")

def creator(url):
    engine = sqlalchemy.create_engine("postgresql+pg8000://", creator=lambda: pg8000.dbapi.connect(**given(url)))
    with engine.connect() as connection:
        connection.exec_driver_sql("select 'a statement of the tests'")

WAYS = dict(native=native, dbapi=dbapi, creator=creator)

@pytest.mark.parametrize("side", ["PRODUCTION", "TEST"])
@pytest.mark.parametrize("way", WAYS)
def test_reach(way, side):
    WAYS[way](os.environ[side])

@pytest.mark.parametrize("side", ["TEST"])
@pytest.mark.parametrize("way", ["drops"])
def test_drop(way, side):
    connection = pg8000.native.Connection(**given(os.environ[side]))
    connection.run("drop database if exists not_on_the_list")
"""


def test_each_interface_is_stopped(pair: Pair, tmp_path: Path) -> None:
    """A server that is not listed is refused by each interface, and so is what would drop another database."""
    found, output = guarded(pair, tmp_path, {"test_it.py": TESTS}, place(pair.test))
    ways = ("native", "dbapi", "creator")
    wanted = {(way, side): end for way in ways for side, end in (("PRODUCTION", "failed"), ("TEST", "passed"))}
    assert found == {**wanted, ("drops", "TEST"): "failed"}, output
    assert "asked for DROP DATABASE not_on_the_list" in output
