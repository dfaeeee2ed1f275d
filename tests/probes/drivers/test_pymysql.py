"""PyMySQL with a small server of its protocol, which says who it is and answers every statement with a row."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.probes.drivers.mysql import SERVER
from tests.probes.seen import run
from tests.projects import LIGHT

PROGRAM = """\
import server, pymysql

with pymysql.connect(host="127.0.0.1", port=server.PORT, user="me", password="hidden99", database="shop") as connection:
    print(type(connection), connection._result, connection._read_timeout, connection.server_status)
    with connection.cursor() as cursor:
        cursor.execute("insert into t values (%s)", (1,))
        cursor.execute("select 1")
        print(cursor.fetchall())
print([text for text in server.heard if "@@" not in text])
"""


def test_a_connection_is_seen(tmp_path: Path) -> None:
    """It is asked who its server is, before all else, and what it runs is told; the program sees no difference."""
    files = {"server.py": SERVER, "it.py": PROGRAM}
    seen = run(tmp_path / "with", files, "it.py")
    assert seen.output == run(tmp_path / "without", files, "it.py", probes=False).output
    opened = seen.one("connection")
    assert opened["driver"] == "pymysql"
    assert (opened["observed"]["system_identifier"], opened["observed"]["database"]) == ("0123-4567", "shop")
    assert True in [event["writes"] for event in seen.of("use", connection=opened["connection"])]
    assert "hidden99" not in seen.text()


TESTS = """\
import server, pymysql, pytest

def connect(database, **more):
    return pymysql.connect(host="127.0.0.1", port=server.PORT, user="me", password="x", database=database, **more)

def by_connect(name): connect(name).cursor().execute("select 1")
def by_select_db(name): connect("shop_test").select_db(name)
def by_use(name): connect("shop_test").cursor().execute(f"use `{name}`")
def by_first_command(name): connect("shop_test", init_command=f"use {name}")
def by_drop(name): connect("shop_test").cursor().execute(f"drop schema if exists {name}")

WAYS = [by_connect, by_select_db, by_use, by_first_command, by_drop]

@pytest.mark.parametrize("name", ["shop", "shop_test"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_reach(way, name):
    try:
        way(name)
    finally:
        assert not [text for text in server.heard if text.endswith(("shop", "shop`"))]
"""


def test_another_database_is_stopped(tmp_path: Path) -> None:
    """A database that is not listed is neither connected to, nor gone over to, nor dropped."""
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "pytest.ini").write_text("[pytest]\ndb_guard_allow = 127.0.0.1:*/shop_test\n")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "--db-guard", *LIGHT], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, timeout=120,
    )  # fmt: skip
    found = re.findall(r"^(PASSED|FAILED) test_it.py::test_reach\[(\w+)-(\w+)\]", ended.stdout, re.MULTILINE)
    assert len(found) == 10, ended.stdout
    assert {(name, end) for end, _, name in found} == {("shop", "FAILED"), ("shop_test", "PASSED")}, ended.stdout
    assert "AssertionError" not in ended.stdout
