"""pg8000, by each of its interfaces, with the probes in and under the guard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.pair import Pair
from kit.probes.drivers.pg8000 import NO_PROBE
from kit.probes.interventions import INTERVENTIONS_VARIABLE
from kit.probes.interventions.base import Intervention
from kit.probes.interventions.connections import RedirectConnection, RedirectEngine
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
    assert "requested DROP DATABASE not_on_the_list" in output


LED = """\
import os, urllib.parse
import pg8000.dbapi, pg8000.native

def given(url):
    to = urllib.parse.urlsplit(url)
    return to.username, to.hostname, to.path[1:], to.port, to.password

def meant():
    return pg8000.native.Connection(*given(os.environ["TEST_DATABASE_URL"]))

def astray():
    return pg8000.native.Connection(*given(os.environ["PRODUCTION_DATABASE_URL"]))

def by_keyword():
    user, host, database, port, password = given(os.environ["PRODUCTION_DATABASE_URL"])
    return pg8000.dbapi.connect(user, host=host, database=database, port=port, password=password, unix_sock=None)

for opened in (astray, meant, astray, by_keyword):
    try:
        opened().close()
    except pg8000.exceptions.InterfaceError as error:
        print(opened.__name__, error)
"""


def rerun(pair: Pair, tmp_path: Path, wanted: Intervention) -> tuple[list[str], str]:
    """The servers that answered in a re-run of LED, in their order, and what the program printed."""
    file = tmp_path / "interventions.json"
    file.write_text(json.dumps([wanted.placed(str(tmp_path / "project")).as_json()]))
    environ = {**urls(pair), INTERVENTIONS_VARIABLE: str(file)}
    seen = run(tmp_path, {"it.py": LED}, "it.py", environ=environ)
    assert {event["op"] for event in seen.of("change")} == {wanted.op}
    return [event["observed"]["system_identifier"] for event in seen.of("connection")], seen.output


def test_one_functions_connections_lead_where_the_tests_lead(pair: Pair, tmp_path: Path) -> None:
    """Once the tests' line has connected, the function's connections go there, too, and nobody else's do."""
    production, test = (side.identity.system_identifier for side in (pair.production, pair.test))
    answered, _ = rerun(pair, tmp_path, RedirectConnection("it.py", "astray", "it.py", 9))
    assert answered == [production, test, test, production]


@pytest.mark.parametrize(("line", "led"), [(12, "astray"), (16, "by_keyword")])
def test_what_a_line_opens_is_led_to_no_server(pair: Pair, tmp_path: Path, line: int, led: str) -> None:
    """A place that is given by position is led elsewhere as one that is given by keyword; nobody else's is."""
    answered, output = rerun(pair, tmp_path, RedirectEngine((("it.py", line),)))
    production, test = (side.identity.system_identifier for side in (pair.production, pair.test))
    assert answered == ([test, production] if led == "astray" else [production, test, production])
    assert set(line.split()[0] for line in output.splitlines()) == {led}
    assert "127.0.0.1" in output


THREADS = """\
import os, threading, urllib.parse
import pg8000.native

to = urllib.parse.urlsplit(os.environ["TEST_DATABASE_URL"])

def reach():
    connection = pg8000.native.Connection(to.username, to.hostname, to.path[1:], to.port, to.password)
    for _ in range(5):
        connection.run("select 1")
    connection.close()

threads = [threading.Thread(target=reach) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
"""


def test_connections_of_threads_are_told_apart(pair: Pair, tmp_path: Path) -> None:
    """Each thread's connection is asked for itself, by its own backend, and its use is its own."""
    seen = run(tmp_path, {"it.py": THREADS}, "it.py", environ=urls(pair))
    opened = seen.of("connection")
    assert seen.output == "done\n"
    assert len({event["observed"]["backend_pid"] for event in opened}) == 8
    assert {event["connection"] for event in seen.of("use")} == {event["connection"] for event in opened}


def test_a_probe_that_fails_is_switched_off(pair: Pair, tmp_path: Path) -> None:
    """Where the driver is not as the probe knows it, the program goes on, and it is said that nobody was asked."""
    broken = 'import sys\nvars(sys.modules["_isolation_probes.drivers.pg8000"])["first_answer"] = None\n' + PROGRAM
    seen = run(tmp_path / "with", {"it.py": broken}, "it.py", environ=urls(pair))
    without = run(tmp_path / "without", {"it.py": PROGRAM}, "it.py", environ=urls(pair), probes=False)
    assert seen.output == without.output
    assert list(seen.one("end")["failures"]) == ["Pg8000._asked"]
    assert {(event["observed"], event["why_not"]) for event in seen.of("connection")} == {(None, NO_PROBE)}
