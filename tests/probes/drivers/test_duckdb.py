from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.probes.seen import run
from tests.projects import LIGHT

PROGRAM = """\
import duckdb, pathlib

def by_name():
    connection = duckdb.connect("it.duckdb")
    connection.execute("create table t (x int)")
    print(type(connection), connection.sql("select 1").fetchall())

def by_path(): print(duckdb.connect(pathlib.Path("other.duckdb")).execute("select 2").fetchone())

def in_memory(): print(duckdb.sql("select 3").fetchall(), duckdb.connect().execute("select 4").fetchone())

def fails():
    try:
        duckdb.connect("no/such/folder.duckdb")
    except duckdb.IOException as error:
        print(type(error))

for way in (by_name, by_path, in_memory, fails):
    way()
"""


def test_each_connection_is_seen(tmp_path: Path) -> None:
    """A connection tells its file, and its use is told; the program sees no difference."""
    seen = run(tmp_path / "with", {"it.py": PROGRAM}, "it.py")
    assert seen.output == run(tmp_path / "without", {"it.py": PROGRAM}, "it.py", probes=False).output
    files = [Path(event["observed"]["file"] or "").name for event in seen.of("connection")]
    assert files == ["it.duckdb", "other.duckdb", ""]
    assert [event["writes"] for event in seen.of("use")] == [True, False, False, False]
    assert seen.one("connection_failed")["driver"] == "duckdb"


TESTS = """\
import early, duckdb, pytest

def by_name(file): duckdb.connect(file).execute("select 1")
def by_early_name(file): early.connect(file).execute("select 1")
def by_attach(file): duckdb.connect().execute(f"attach '{file}' as other")
def by_module(file): duckdb.sql(f"ATTACH '{file}'")
def by_extension(file): duckdb.connect().sql(f"select * from sqlite_scan('{file}', 't')")

@pytest.mark.parametrize("way", [by_name, by_early_name, by_attach, by_module, by_extension], ids=lambda f: f.__name__)
def test_reach(way):
    way("prod.duckdb")

@pytest.mark.parametrize("way", [by_name, by_early_name], ids=lambda f: f.__name__)
def test_allowed(way):
    way("test.duckdb")
"""


@pytest.mark.parametrize("by_name", [False, True])
def test_what_is_not_listed_is_stopped(tmp_path: Path, by_name: bool) -> None:
    """A file that is not listed is not opened; what a statement attaches is stopped, unless the driver is allowed."""
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "early.py").write_text("from duckdb import connect\n")
    allowed = "db_guard_drivers = duckdb\n" if by_name else ""
    (tmp_path / "pytest.ini").write_text(f"[pytest]\ndb_guard_allow = test.duckdb\n{allowed}")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "--db-guard", *LIGHT, "-p", "early"], cwd=tmp_path,
        capture_output=True, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, timeout=120,
    )  # fmt: skip
    found = re.findall(r"^(PASSED|FAILED) test_it.py::test_(\w+)\[(\w+)\]", ended.stdout, re.MULTILINE)
    passed = {(test, way) for end, test, way in found if end == "PASSED"}
    let_through = {("allowed", "by_name"), ("allowed", "by_early_name")}
    if by_name:
        let_through |= {("reach", "by_module"), ("reach", "by_attach")}
    assert len(found) == 7, ended.stdout
    assert passed - {("reach", "by_extension")} == let_through, ended.stdout  # which fetches itself from somewhere
    assert by_name or "allow it by name: db_guard_drivers = duckdb" in ended.stdout
    assert by_name or ("reach", "by_extension") not in passed
