"""Every spelling of a password is planted in a suite; what is left of its run, killed or not, has none of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.left_behind import COMMAND, KILL, found, in_shared_memory, run

CONFTEST = """\
import os, pathlib, shutil
from killing import kill

kill("import")
if pathlib.Path("ran").exists():
    kill("re-run")

def pytest_runtest_logfinish(nodeid):
    if nodeid.endswith("test_between"):
        kill("between")

def pytest_sessionfinish():
    into = pathlib.Path(os.environ["SEEN_ON_THE_WAY"]) / str(os.getpid())
    shutil.copytree(os.environ["TMPDIR"], into, ignore_dangling_symlinks=True)
    pathlib.Path("ran").touch()
    kill("end")
"""
TESTS = """\
import os, sqlite3, subprocess, sys, threading
import pytest
from sqlalchemy import create_engine
from killing import TEXTS

SETTINGS = {f"database_url_{number}": text for number, text in enumerate(TEXTS["s"])}

def reach():
    sqlite3.connect("prod.db").execute("create table if not exists t (x)")

@pytest.mark.parametrize("text", TEXTS["i"])
def test_ids(text):
    reach()

@pytest.mark.parametrize("number", range(len(TEXTS["r"])))
def test_raises(number):
    print(TEXTS["o"][number])
    reach()
    raise RuntimeError(TEXTS["r"][number])

def test_variables(monkeypatch):
    for number, text in enumerate(TEXTS["v"]):
        monkeypatch.setenv(f"SHOP_{number}_DATABASE_URL", text)
        assert os.environ[f"SHOP_{number}_DATABASE_URL"]
    reach()

def test_processes():
    for text in TEXTS["p"][::40]:
        subprocess.run([sys.executable, "-c", "import sqlite3; sqlite3.connect('child.db')", text], check=True)

def test_threads():
    for text in TEXTS["t"]:
        thread = threading.Thread(target=reach, name=text)
        thread.start()
        thread.join()

def test_between():
    reach()

def test_drivers():
    for text in TEXTS["d"]:
        try:
            with create_engine(text).connect() as connection:
                connection.exec_driver_sql("select 1")
        except Exception as error:
            print(error)
"""
PYTEST = ("--", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder with a suite that has each spelling in ids, errors, output, variables, threads, processes and URLs."""
    (tmp_path / "project").mkdir()
    for name, text in {"killing.py": KILL, "conftest.py": CONFTEST, "test_it.py": TESTS}.items():
        (tmp_path / "project" / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "moment"),
    [("trace", ""), ("trace", "import"), ("trace", "between"), ("trace", "end"), ("diagnose", "re-run")],
)
def test_nothing_that_a_run_of_a_suite_leaves_has_a_secret(suite: Path, command: str, moment: str) -> None:
    """Temporary files while it runs, what a kill leaves of them, and all that is shown are searched, byte by byte."""
    before = in_shared_memory()
    more = ("--yes", "--allow", "other.db") if command == "diagnose" else ("--json", str(suite / "left" / "it.json"))
    done = run(suite, COMMAND, command, *more, *PYTEST, kill_at=moment)
    assert (done.returncode == -9) is bool(moment), done.stderr
    assert list((suite / "left" / "TMPDIR").glob("kit-*")) or not moment
    shown = done.stderr if command == "trace" else done.stdout + done.stderr  # a trace passes the suite's output on
    assert found(suite / "left", *(in_shared_memory() - before), shown) == {}
