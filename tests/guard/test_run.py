"""--db-guard in whole runs of pytest: what it stops, what it lets through, and that it is not there when it is off."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from kit.guard.run import allow_list
from tests.allowed import MALFORMED
from tests.projects import LIGHT

OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR) (\S+)", re.MULTILINE)
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run of pytest ended."""

    folder: Path
    exit_code: int
    output: str

    @property
    def outcomes(self) -> dict[str, str]:
        """How each test ended, by its name."""
        return {test.rpartition("::")[2]: outcome.lower() for outcome, test in OUTCOME.findall(self.output)}


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run pytest over the files that are given, in a project whose list names test.db."""

    def run(files: Mapping[str, str], *options: str, guard: str | None = "--db-guard", allow: str = "test.db") -> Ran:
        for name, text in {"pytest.ini": f"[pytest]\ndb_guard_allow =\n    {allow}\n", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        command = [sys.executable, "-m", "pytest", "-rA", *LIGHT, *options]
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(
            command + ([guard] if guard else []), cwd=tmp_path, env=environ, capture_output=True, text=True,
            timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Ran(tmp_path, ended.returncode, ended.stdout + ended.stderr)

    return run


APP = """\
import sqlite3


def save(name, file="prod.db"):
    connection = sqlite3.connect(file)
    connection.execute("create table if not exists names (name text)")
    connection.close()
"""
OPENER = "app.py:5 save requested prod.db"


def test_a_test_that_reaches_another_database_fails(run: Run) -> None:
    """A database off the list fails the test with the opener's file and line, and is not even made; others pass."""
    tests = """\
from app import save

def test_other():
    save("x")

def test_listed():
    save("x", "test.db")

def test_memory():
    save("x", ":memory:")
"""
    ran = run({"app.py": APP, "test_it.py": tests})
    assert ran.outcomes == {"test_other": "failed", "test_listed": "passed", "test_memory": "passed"}
    assert OPENER in ran.output
    assert "Called from test_it.py:4." in ran.output
    assert (ran.folder / "test.db").exists()
    assert not (ran.folder / "prod.db").exists()


def test_without_the_option_nothing_is_stopped(run: Run) -> None:
    """The same test without --db-guard passes, and none of the probes is loaded."""
    tests = """\
import sys
from app import save

def test_other():
    save("x")
    assert [name for name in sys.modules if name.startswith("kit.")] == ["kit.guard", "kit.guard.plugin"]
"""
    ran = run({"app.py": APP, "test_it.py": tests}, guard=None)
    assert ran.outcomes == {"test_other": "passed"}, ran.output
    assert (ran.folder / "prod.db").exists()


SWALLOWED = """\
import pytest
from app import save

def test_swallowed():
    try:
        save("x")
    except Exception:
        pass

def test_expected():
    with pytest.raises(Exception):
        save("x")

@pytest.mark.xfail
def test_expected_to_fail():
    save("x")

def test_left_out():
    try:
        save("x")
    finally:
        pytest.skip("no database")

@pytest.fixture
def teardown():
    yield
    try:
        save("x")
    except Exception:
        pass

def test_teardown(teardown):
    pass

def test_other_failure():
    try:
        save("x")
    except Exception:
        raise AssertionError("the page was not found") from None

def test_nothing():
    pass
"""


def test_a_refusal_that_is_swallowed_fails_the_test(run: Run) -> None:
    """A test whose code swallows the error, expects it, expects to fail or is left out fails all the same."""
    ran = run({"app.py": APP, "test_it.py": SWALLOWED})
    assert ran.outcomes == {
        "test_swallowed": "failed", "test_expected": "failed", "test_expected_to_fail": "failed",
        "test_left_out": "failed", "test_teardown": "error", "test_other_failure": "failed", "test_nothing": "passed",
    }, ran.output  # fmt: skip
    assert ran.output.count(f"\ndb-guard: {OPENER}") == 5
    assert "the page was not found" in ran.output


RUN_AGAIN = """\
from _pytest.runner import runtestprotocol


def pytest_runtest_protocol(item, nextitem):
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed for report in reports):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
ONCE = """\
import contextlib

from app import save

ran = []


def test_once():
    ran.append(1)
    if len(ran) == 1:
        with contextlib.suppress(Exception):
            save("a")
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_test_that_passes_when_it_is_run_again_does_not_make_the_run_pass(
    run: Run, workers: tuple[str, ...]
) -> None:
    """Where a plugin runs what failed again, as many suites have it, a refusal in the first run fails the whole run."""
    ran = run({"app.py": APP, "conftest.py": RUN_AGAIN, "test_it.py": ONCE}, *workers)
    assert ran.outcomes == {"test_once": "passed"}
    assert ran.exit_code == 1
    assert "db-guard: refused, although nothing failed in the end" in ran.output
    assert OPENER in ran.output


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_fixtures(run: Run, workers: tuple[str, ...]) -> None:
    """A fixture that reaches another database fails the tests that need it and no other, under xdist too."""
    conftest = """\
import pytest
from app import save

@pytest.fixture(scope="session")
def database():
    save("x")

@pytest.fixture
def listed():
    save("x", "test.db")
"""
    tests = "def test_one(database): pass\n\ndef test_two(database): pass\n\ndef test_three(listed): pass\n"
    ran = run({"app.py": APP, "conftest.py": conftest, "test_it.py": tests}, *workers)
    assert ran.outcomes == {"test_one": "error", "test_two": "error", "test_three": "passed"}
    assert OPENER in ran.output
    assert "conftest.py:6" in ran.output
    assert not (ran.folder / "prod.db").exists()


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
@pytest.mark.parametrize("file", ["conftest.py", "test_it.py"])
@pytest.mark.parametrize("swallow", [False, True], ids=["raised", "swallowed"])
def test_imports(run: Run, workers: tuple[str, ...], file: str, swallow: bool) -> None:
    """A connection at import, of a conftest or of a test's file, fails the run, whether or not it comes through."""
    module = f"{APP}\ntry:\n    save('x')\nexcept {'Exception' if swallow else 'ZeroDivisionError'}:\n    pass\n"
    files = {"app.py": module, "test_it.py": "def test_one(): pass\n", "test_other.py": "def test_two(): pass\n"}
    ran = run({**files, file: f"import app\n{files.get(file, '')}"}, *workers)
    assert ran.exit_code not in (0, 5)
    assert OPENER in ran.output
    assert not (ran.folder / "prod.db").exists()


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_imports_of_listed_databases(run: Run, workers: tuple[str, ...]) -> None:
    """A connection at import to a database on the list does no harm."""
    files = {"app.py": f"{APP}\nsave('x', 'test.db')\n", "conftest.py": "import app\n"}
    ran = run({**files, "test_it.py": "import app\n\ndef test_one(): pass\n"}, *workers)
    assert (ran.exit_code, ran.outcomes) == (0, {"test_one": "passed"}), ran.output


THREADS = """\
import asyncio
import threading
import warnings
import pytest
from app import save

FILES = ["prod.db", "test.db"]

@pytest.mark.parametrize("file", FILES)
@pytest.mark.filterwarnings("ignore")
def test_thread(file):
    thread = threading.Thread(target=save, args=("x", file))
    thread.start()
    thread.join()

@pytest.mark.parametrize("file", FILES)
def test_pool(file):
    async def main():
        await asyncio.gather(asyncio.to_thread(save, "x", file), return_exceptions=True)
    asyncio.run(main())
"""


def test_threads(run: Run) -> None:
    """A connection in a thread, which has nobody to tell, fails the test under way."""
    ran = run({"app.py": APP, "test_it.py": THREADS})
    assert ran.outcomes == {
        "test_thread[prod.db]": "failed", "test_thread[test.db]": "passed",
        "test_pool[prod.db]": "failed", "test_pool[test.db]": "passed",
    }, ran.output  # fmt: skip
    assert OPENER in ran.output


PROCESSES = """\
import asyncio
import multiprocessing
import os
import subprocess
import sys
import pytest
from app import save

FILES = ["prod.db", "test.db"]
SCRIPT = "import app; app.save('x', '%s')"
NESTED = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"

@pytest.fixture(params=FILES)
def script(request):
    return SCRIPT % request.param

def test_inherited(script):
    subprocess.run([sys.executable, "-c", script], capture_output=True)

def test_own_environment(script):
    subprocess.run([sys.executable, "-c", script], env={"LANG": "C"}, capture_output=True)

def test_grandchild(script):
    subprocess.run([sys.executable, "-c", NESTED, script], env={}, capture_output=True)

def test_asyncio(script):
    async def main():
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stderr=asyncio.subprocess.PIPE)
        await process.communicate()
    asyncio.run(main())

@pytest.mark.parametrize("way", ["spawn", "fork"])
@pytest.mark.parametrize("file", FILES)
def test_multiprocessing(way, file):
    process = multiprocessing.get_context(way).Process(target=save, args=("x", file))
    process.start()
    process.join()

@pytest.mark.parametrize("file", FILES)
def test_fork(file):
    child = os.fork()
    if not child:
        try:
            save("x", file)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_processes(run: Run, workers: tuple[str, ...]) -> None:
    """A connection in a Python process that a test starts, however it does, fails the test."""
    ran = run({"app.py": APP, "test_it.py": PROCESSES}, *workers)
    by_file = {
        file: {outcome for test, outcome in ran.outcomes.items() if file in test} for file in ("prod.db", "test.db")
    }
    assert len(ran.outcomes) == 14
    assert by_file == {"prod.db": {"failed"}, "test.db": {"passed"}}, ran.output
    assert not (ran.folder / "prod.db").exists()


LATE = """\
import app

def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput") or True:
        try:
            app.save("x", "{file}")
        except Exception:
            pass
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
@pytest.mark.parametrize(("file", "exit_code"), [("prod.db", 1), ("test.db", 0)])
def test_after_the_last_test(run: Run, workers: tuple[str, ...], file: str, exit_code: int) -> None:
    """A connection that is refused when no test is left to fail fails the run."""
    conftest = LATE.format(file=file)
    hook = "import pytest\n" + conftest.replace("def pytest_s", "@pytest.hookimpl(tryfirst=True)\ndef pytest_s")
    ran = run({"app.py": APP, "conftest.py": hook, "test_it.py": "def test_one(): pass\n"}, *workers)
    assert (ran.exit_code, ran.outcomes) == (exit_code, {"test_one": "passed"}), ran.output
    assert (f"app.py:5 save requested {file}" in ran.output) == bool(exit_code)


SUMMARY = """\
import app
import {module}

def {hook}():
    try:
        app.save("x")
    except Exception:
        pass
"""


@pytest.mark.parametrize("module", ["sys", "psycopg", "psycopg2", "asyncpg"])
@pytest.mark.parametrize("hook", ["pytest_terminal_summary", "pytest_unconfigure"])
def test_after_the_exit_code_is_settled(run: Run, hook: str, module: str) -> None:
    """A refusal after pytest settled its exit code fails the run, whatever modules of C keep until the very end."""
    conftest = SUMMARY.format(hook=hook, module=module)
    ran = run({"app.py": APP, "conftest.py": conftest, "test_it.py": "def test_one(): pass\n"})
    assert (ran.exit_code, ran.outcomes) == (1, {"test_one": "passed"}), ran.output
    assert OPENER in ran.output


NOBODY_LEFT = {
    "ends-at-once": """\
import os
import app

def test_one():
    try:
        app.save("x")
    except Exception:
        os._exit(0)
""",
    "outlives": """\
import subprocess
import sys

PROGRAM = "import os, sys, time, app\\nwhile os.getppid() == int(sys.argv[1]): time.sleep(0.01)\\ntry: app.save('x')\\n"
PROGRAM += "except Exception as error: print(type(error).__name__, file=open('refused.txt', 'w', buffering=1))"

def test_one():
    import os
    subprocess.Popen([sys.executable, "-c", PROGRAM, str(os.getpid())], start_new_session=True)
""",
}


@pytest.mark.parametrize("way", NOBODY_LEFT)
def test_a_refusal_that_nobody_is_left_to_report(run: Run, way: str) -> None:
    """Where pytest cannot report a refusal any more, it ends with 0; the database is not reached."""
    ran = run({"app.py": APP, "test_it.py": NOBODY_LEFT[way]})
    assert ran.exit_code == 0, ran.output
    if way == "outlives":
        refused = ran.folder / "refused.txt"
        deadline = time.monotonic() + TIMEOUT_S
        while not (refused.exists() and refused.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert refused.read_text() == "DatabaseRefused\n"
    assert not (ran.folder / "prod.db").exists()


DRIVERS = """\
import asyncio
import sqlite3
import types

import aiosqlite
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

async def by_aiosqlite(file):
    async with aiosqlite.connect(file):
        pass

async def by_async_engine(file):
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    async with engine.connect():
        pass
    await engine.dispose()

def by_engine(file):
    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    with engine.connect():
        pass
    engine.dispose()

def by_uri(file):
    sqlite3.connect(f"file:{file}?mode=rwc", uri=True).close()

@pytest.mark.parametrize("file", ["prod.db", "test.db"])
@pytest.mark.parametrize("reach", [by_aiosqlite, by_async_engine, by_engine, by_uri])
def test_reach(reach, file):
    done = reach(file)
    if done is not None:
        asyncio.run(done)
"""


def test_drivers(run: Run) -> None:
    """Each way to SQLite is stopped where the application asked, and let through for a listed file."""
    ran = run({"test_it.py": DRIVERS})
    expected = {
        f"test_reach[{reach}-{file}]": outcome
        for reach in ("by_aiosqlite", "by_async_engine", "by_engine", "by_uri")
        for file, outcome in (("prod.db", "failed"), ("test.db", "passed"))
    }
    assert ran.outcomes == expected, ran.output
    for line in (11, 16, 22, 27):
        assert f"test_it.py:{line} " in ran.output
    assert not (ran.folder / "prod.db").exists()


ATTACHING = """\
import asyncio
import sqlite3

import aiosqlite
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

NAMED, BOUND = "attach database '{}' as other", "attach database ? as other"
WRITE = "create table if not exists other.written (x)"

def named(file):
    connection = sqlite3.connect(":memory:")
    connection.execute(NAMED.format(file))
    connection.execute(WRITE)

def bound(file):
    connection = sqlite3.connect(":memory:")
    connection.execute(BOUND, (file,))
    connection.execute(WRITE)

def swallowed(file):
    connection = sqlite3.connect(":memory:")
    for statement, parameters in (NAMED.format(file), ()), (BOUND, (file,)), (WRITE, ()), (WRITE, ()):
        try:
            connection.execute(statement, parameters)
        except Exception as error:
            print(error)

def by_listener(file):
    engine = sqlalchemy.create_engine("sqlite://")

    @sqlalchemy.event.listens_for(engine, "connect")
    def attach(connection, record):
        connection.execute(BOUND, (file,))

    with engine.begin() as connection:
        connection.exec_driver_sql(WRITE)

def by_engine(file):
    with sqlalchemy.create_engine("sqlite://").begin() as connection:
        connection.execute(sqlalchemy.text("attach database :file as other"), {"file": file})
        connection.exec_driver_sql(WRITE)

async def by_aiosqlite(file):
    async with aiosqlite.connect(":memory:") as connection:
        await connection.execute(NAMED.format(file))
        await connection.execute(WRITE)

async def by_aiosqlite_bound(file):
    async with aiosqlite.connect(":memory:") as connection:
        await connection.execute(BOUND, (file,))
        await connection.execute(WRITE)

async def by_async_engine(file):
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.begin() as connection:
        await connection.execute(sqlalchemy.text("attach database :file as other"), {"file": file})
        await connection.exec_driver_sql(WRITE)
    await engine.dispose()

WAYS = (
    named, bound, swallowed, by_listener, by_engine, by_aiosqlite, by_aiosqlite_bound, by_async_engine,
)

@pytest.mark.parametrize("file", ["prod.db", "test.db", ":memory:"])
@pytest.mark.parametrize("reach", WAYS)
def test_reach(reach, file):
    done = reach(file)
    if done is not None:
        asyncio.run(done)
"""


def test_a_file_that_is_attached_is_asked_for_too(run: Run) -> None:
    """ATTACH by any way to SQLite is stopped at the application's line, and nothing is written there."""
    ran = run({"test_it.py": ATTACHING})
    ways = re.findall(r"\w+", ATTACHING.partition("WAYS = (")[2].partition(")")[0])
    expected = {
        f"test_reach[{way}-{file}]": outcome
        for way in ways
        for file, outcome in (("prod.db", "failed"), ("test.db", "passed"), (":memory:", "passed"))
    }
    assert ran.outcomes == expected, ran.output
    attaching = re.compile(r"execute\((NAMED|BOUND|statement|sqlalchemy.text)")
    lines = [number for number, line in enumerate(ATTACHING.splitlines(), 1) if attaching.search(line)]
    assert len(lines) == len(ways)
    for line in lines:
        assert f"test_it.py:{line} " in ran.output
    assert (ran.folder / "prod.db").read_bytes() == b""


def test_a_script_that_computes_a_files_name_is_stopped(run: Run) -> None:
    """What a script attaches by a name that its text does not spell out cannot be judged before it is used there."""
    test = """\
import sqlite3

def test_it():
    sqlite3.connect(":memory:").executescript("attach 'prod' || '.db' as other; create table other.written (x);")
"""
    ran = run({"test_it.py": test})
    assert ran.outcomes == {"test_it": "failed"}
    assert "test_it.py:4 test_it requested a file that ATTACH takes from a parameter or an expression" in ran.output
    assert (ran.folder / "prod.db").read_bytes() == b""


OTHER_WAYS = """\
import asyncio
import importlib
import os
import sqlite3
import sys
import threading

import _sqlite3
import aiosqlite
import early
import pytest

class Mine(sqlite3.Connection):
    pass

class Path:
    def __init__(self, name):
        self.name = name

    def __fspath__(self):
        return self.name

def by_class(file): return sqlite3.Connection(file)

def by_subclass(file): return Mine(file)

def by_c(file): return _sqlite3.connect(file)

def by_early_name(file): return early.connect(file)

def by_path(file): return sqlite3.connect(Path(file))

def reloaded(file): return importlib.reload(sqlite3.dbapi2).connect(file)

def initialised(file):
    connection = sqlite3.connect(":memory:")
    connection.__init__(file)
    return connection

def anew(file):
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if "sqlite3" in name}
    try:
        import sqlite3
        return sqlite3.connect(file)
    finally:
        sys.modules.update(kept)

def with_an_authorizer(file):
    connection = sqlite3.connect(":memory:")
    connection.set_authorizer(None)
    connection.execute(f"attach '{file}' as other")
    return connection

def attached_by_the_class(file):
    connection = sqlite3.connect(":memory:")
    sqlite3.Connection.execute(connection, f"attach '{file}' as other")
    return connection

def attached_by_a_cursor(file):
    cursor = sqlite3.Cursor(sqlite3.connect(":memory:"))
    sqlite3.Cursor.execute(cursor, f"attach '{file}' as other")
    return cursor

async def by_early_aiosqlite(file):
    before = set(threading.enumerate())
    try:
        async with early.connect_aiosqlite(file) as connection:
            await connection.execute("create table if not exists written (x)")
    finally:
        for thread in set(threading.enumerate()) - before:  # which still has something to say to this loop
            await asyncio.to_thread(thread.join)

WAYS = (
    by_class, by_subclass, by_c, by_early_name, by_path, reloaded, initialised, anew, with_an_authorizer,
    by_early_aiosqlite, attached_by_the_class, attached_by_a_cursor,
)

@pytest.mark.parametrize("file", ["prod.db", "test.db"])
@pytest.mark.parametrize("reach", WAYS)
def test_reach(reach, file):
    try:
        done = reach(file)
        if asyncio.iscoroutine(done):
            asyncio.run(done)
        else:
            done.execute("create table if not exists written (x)")
    finally:
        written = os.path.exists("prod.db") and os.path.getsize("prod.db")
        assert not written, "it was written to"
"""
AUTHORIZERS = """
import sqlite3, sys, threading, warnings
import pytest

def test_another_threads():
    connection, raised = sqlite3.connect(":memory:"), []
    connection.execute("select 1")

    def run():
        try:
            connection.set_authorizer(None)
        except sqlite3.ProgrammingError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(raised) == 1

def test_by_keyword():
    connection = sqlite3.connect(":memory:")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        connection.set_authorizer(authorizer_callback=lambda *args: sqlite3.SQLITE_DENY)
    assert [one.filename for one in caught] == [__file__] * (sys.version_info >= (3, 13))
    for call in (lambda: connection.execute("select 1"), lambda: connection.set_authorizer(),
                 lambda: connection.set_authorizer(x=1)):
        with pytest.raises((sqlite3.DatabaseError, TypeError)):
            call()

def test_of_a_closed_one():
    connection = sqlite3.connect(":memory:")
    connection.execute("select 1")
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError):
        connection.set_authorizer(None)

def test_one_that_fails(monkeypatch):
    def failing(*args):
        raise ValueError

    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: told.append((one.object.__name__, one.exc_type)))
    sqlite3.enable_callback_tracebacks(True)
    connection = sqlite3.connect(":memory:")
    connection.set_authorizer(failing)
    try:
        connection.execute("select 1")
    except sqlite3.DatabaseError as error:
        told.append(str(error))
    sqlite3.enable_callback_tracebacks(False)
    assert told == [("failing", ValueError), "not authorized"]
"""
BOUND_EARLY = """\
from sqlite3 import connect
from aiosqlite import connect as connect_aiosqlite
"""


def test_other_ways_to_a_file(run: Run) -> None:
    """By a class, by a name that was bound before the guard, by a driver imported anew: nothing is written there."""
    ran = run({"test_it.py": OTHER_WAYS, "early.py": BOUND_EARLY}, "-p", "early")
    expected = {
        f"test_reach[{way}-{file}]": outcome
        for way in re.findall(r"\w+", OTHER_WAYS.partition("WAYS = (")[2].partition(")")[0])
        for file, outcome in (("prod.db", "failed"), ("test.db", "passed"))
    }
    assert ran.outcomes == expected, ran.output
    assert "it was written to" not in ran.output.replace('"it was written to"', "")
    assert ran.output.count("requested prod.db") >= len(expected) // 2


FOREIGN = """\
import types
import pytest
import sqlalchemy

class Connection:
    def __getattr__(self, name):
        raise AssertionError(f"{name} was run")

reached = []
driver = types.SimpleNamespace(
    paramstyle="format", connect=lambda *args, **settings: reached.append(settings) or Connection(),
    Error=type("Error", (Exception,), {}), version_info=(1, 4, 0), __version__="1.4",
)

@pytest.mark.parametrize("place", ["db:3306/prod", "db/prod", "db:3306/shop_test"])
def test_foreign(place):
    engine = sqlalchemy.create_engine(f"mysql+pymysql://me:secret@{place}", module=driver)
    try:
        engine.connect()
    except AssertionError:
        pass
    assert len(reached) == place.count("test")
"""


def test_drivers_without_a_probe(run: Run) -> None:
    """A driver that no probe knows is stopped where SQLAlchemy would connect, by the place that it was told."""
    ran = run({"test_it.py": FOREIGN}, allow="*:3306/*_test")
    assert ran.outcomes == {
        "test_foreign[db:3306/prod]": "failed", "test_foreign[db/prod]": "failed",
        "test_foreign[db:3306/shop_test]": "passed",
    }, ran.output  # fmt: skip
    assert "test_it.py:19 test_foreign requested mysql://db:3306/prod" in ran.output
    assert "secret" not in ran.output.replace("me:secret@{place}", "")


BARE = """
import sqlalchemy.dialects
from sqlalchemy.engine.default import DefaultDialect

class Dialect(DefaultDialect):
    pass

sqlalchemy.dialects.registry.register("bare", __name__, "Dialect")
"""


def test_an_authorizer_is_the_programs(run: Run) -> None:
    """Setting an authorizer fails, and warns, where it would; one that fails is told of by its name."""
    ran = run({"test_it.py": AUTHORIZERS})
    assert set(ran.outcomes.values()) == {"passed"}, ran.output
    assert len(ran.outcomes) == 4


def test_a_dialect_without_names_is_judged_as_any_other(run: Run) -> None:
    """A dialect that names neither itself nor its driver is stopped, or let through, by the place that it was told."""
    test = FOREIGN.replace("mysql+pymysql://", "bare://")
    ran = run({"test_it.py": test.replace("import sqlalchemy\n", f"import sqlalchemy\n{BARE}")}, allow="*:3306/*_test")
    assert ran.outcomes == {
        "test_foreign[db:3306/prod]": "failed", "test_foreign[db/prod]": "failed",
        "test_foreign[db:3306/shop_test]": "passed",
    }, ran.output  # fmt: skip
    assert "AttributeError" not in ran.output


def test_a_driver_that_cannot_be_watched_stops_the_run(run: Run) -> None:
    """Where the guard cannot be put into a driver, the run is refused rather than let through."""
    ran = run({"aiosqlite.py": "connect = print\n", "test_it.py": "import aiosqlite\n\ndef test_one(): pass\n"})
    assert ran.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "--db-guard cannot watch aiosqlite" in ran.output
    assert ran.outcomes == {}


def test_a_part_of_the_guard_that_fails_fails_the_run(run: Run) -> None:
    """What the guard does not watch any more could have been reached: the run is red, and says which part it is."""
    test = """\
import sqlite3

def test_attach(monkeypatch):
    monkeypatch.setattr("kit.probes.drivers.attached._paths", None)
    sqlite3.connect("test.db").execute("attach 'prod.db' as other")
"""
    ran = run({"test_it.py": test})
    assert ran.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "--db-guard cannot watch Attaching._asked (TypeError" in ran.output


def test_a_refusal_stands_at_the_end_where_another_error_follows(run: Run) -> None:
    """A report that ends with another error, after a long chain, says at its end what was refused."""
    test = """\
from app import save

def test_chain():
    try:
        save("x")
    except Exception as error:
        raise ValueError("the session is closed") from error
"""
    ran = run({"app.py": APP, "test_it.py": test})
    assert ran.outcomes == {"test_chain": "failed"}
    assert ran.output.rindex("app.py:5 save requested prod.db") > ran.output.rindex("raise ValueError")


def test_a_guard_that_comes_too_late_is_refused(run: Run) -> None:
    """Where a conftest loads the plugin, after it may have connected, the run is refused."""
    files = {"conftest.py": "pytest_plugins = ['kit.guard.plugin']\n", "test_it.py": "def test_one(): pass\n"}
    ran = run(files, "-p", "no:kit-db-guard")
    assert ran.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "was loaded after the conftests" in ran.output


def test_without_the_installed_plugin_it_can_be_named(run: Run) -> None:
    """-p kit.guard.plugin brings the guard where it is not found by itself."""
    ran = run(
        {"app.py": APP, "test_it.py": "import app\n\ndef test_one(): app.save('x')\n"},
        "-p",
        "no:kit-db-guard",
        "-p",
        "kit.guard.plugin",
    )
    assert ran.outcomes == {"test_one": "failed"}


INSIDE = """\
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import pytest

before = (sqlite3.connect, dict(os.environ), list(sys.meta_path), subprocess.Popen.__init__)
files = set(pathlib.Path(tempfile.gettempdir()).glob("db-guard-*"))
for expected in (1, 1):
    assert pytest.main(["-q", "-p", "no:cacheprovider", "--db-guard", "test_it.py"]) == expected
after = (sqlite3.connect, dict(os.environ), list(sys.meta_path), subprocess.Popen.__init__)
assert after == before, (after, before)
assert set(pathlib.Path(tempfile.gettempdir()).glob("db-guard-*")) <= files
"""


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """After a run in a process that goes on, drivers, variables, import hooks and files are as they were."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("import sqlite3\n\ndef test_one(): sqlite3.connect('prod.db')\n")
    (tmp_path / "inside.py").write_text(INSIDE)
    environ = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    environ["TMPDIR"] = str(tmp_path)
    ended = subprocess.run([sys.executable, "inside.py"], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("ending", ["os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_what_a_killed_run_leaves_is_removed_by_the_next(tmp_path: Path, ending: str) -> None:
    """A run that could not remove its files leaves them in a folder whose lock is free; a folder in use stays."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(f"import os\n\ndef test_one():\n    {ending}\n")
    (tmp_path / "test_held.py").write_text(
        "import subprocess, sys\n\ndef test_held():\n"
        "    pytest = [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '--db-guard']\n"
        "    subprocess.run([*pytest, __file__ + '::test_2'], check=True)\n"
        "    import pathlib, tempfile\n    assert list(pathlib.Path(tempfile.gettempdir()).glob('db-guard-*'))\n\n"
        "def test_2(): pass\n"
    )
    environ = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--db-guard"]
    environ["TMPDIR"] = str(tmp_path / "tmp")
    left = []
    for test in ("test_it.py", "test_held.py::test_held"):
        ended = subprocess.run([*command, test], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
        left.append([path.name for path in (tmp_path / "tmp").glob("db-guard-*")])
    assert ended.returncode == 0, ended.stdout
    assert left[0]
    assert left[1] == []


def test_the_file_of_a_coverage_tool_is_not_the_applications(run: Run) -> None:
    """A tool that keeps what it measures in SQLite is let through; the application beside it is not."""
    tool = "import sqlite3\n\ndef measure():\n    sqlite3.connect('.coverage').close()\n"
    tests = (
        "import coverage\nfrom app import save\n\ndef test_tool(): coverage.measure()\n\ndef test_app(): save('x')\n"
    )
    ran = run({"coverage.py": tool, "app.py": APP, "test_it.py": tests})
    assert ran.outcomes == {"test_tool": "passed", "test_app": "failed"}


REWRITTEN = """\
import sys
from _pytest.assertion.rewrite import AssertionRewritingHook


def test_rewritten():
    loaders = {name: module.__spec__.loader for name, module in sys.modules.items() if name.startswith("kit")}
    rewritten = [name for name, loader in loaders.items() if isinstance(loader, AssertionRewritingHook)]
    assert "kit.guard.run" in loaders
    assert set(rewritten) <= {"kit", "kit.guard", "kit.guard.plugin"}
    assert isinstance(__spec__.loader, AssertionRewritingHook)
"""


def test_the_guards_own_modules_are_not_rewritten(run: Run) -> None:
    """pytest compiles none of them anew to rewrite assertions, as it does for plugins; tests get theirs."""
    assert run({"test_it.py": REWRITTEN}).exit_code == 0


def test_the_header_names_what_is_let_through(run: Run) -> None:
    """The head of a guarded run says that the guard is on, and for which databases."""
    ran = run({"test_it.py": "def test_one(): pass\n"})
    assert "db-guard: on, allowed: test.db" in ran.output


@pytest.mark.parametrize(("entry", "said"), MALFORMED)
def test_a_malformed_entry_stops_the_run_at_its_start(entry: str, said: str) -> None:
    """An entry that cannot be meant as it is written is a usage error, without what may be a password in it."""
    class Config:
        inipath, rootpath = None, Path("/srv/app")

        def getini(self, name: str) -> list[str]:
            return [entry]

    with pytest.raises(pytest.UsageError, match=re.escape(said)) as refused:
        allow_list(cast(pytest.Config, Config()))
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    "files",
    [
        {"pytest.ini": "[pytest]\ndb_guard_allow = localhost:5432\n"},
        {"pytest.ini": "", "pytest.toml": '[pytest]\ndb_guard_allow = ["localhost:5432"]\n'},
        {"pytest.ini": "", ".pytest.toml": '[pytest]\ndb_guard_allow = ["localhost:5432"]\n'},
    ],
)
def test_a_malformed_entry_is_shown_with_what_to_do(run: Run, files: dict[str, str]) -> None:
    """pytest ends before any conftest is imported, with the entry, what is wanted and what to do."""
    ran = run({"conftest.py": "print('imported')", "test_it.py": "def test_it(): pass", **files})
    assert ran.exit_code == 4
    assert "'localhost:5432' of the allow-list names no database. Wanted: host:port/name" in ran.output
    assert "imported" not in ran.output


EARLY = "import sqlite3\n\nCONNECTION = sqlite3.connect('prod.db', check_same_thread=False)\n"
OPENED = re.compile(r"was loaded too late\. \S*/prod\.db, held by the module (early|sitecustomize), was opened before")
ONE = "def test_one(): pass\n"


def test_a_connection_that_was_opened_before_the_guard_stops_the_run(run: Run) -> None:
    """What a plugin that comes first has opened is named with who holds it, and the run is refused."""
    ran = run({"early.py": EARLY, "test_it.py": ONE}, "-p", "early")
    assert ran.exit_code == pytest.ExitCode.USAGE_ERROR
    assert OPENED.search(ran.output), ran.output
    assert "-p kit-db-guard" in ran.output


def test_what_was_opened_before_python_had_begun_stops_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a sitecustomize."""
    monkeypatch.setenv("PYTHONPATH", ".")
    ran = run({"sitecustomize.py": EARLY, "test_it.py": ONE})
    assert ran.exit_code == pytest.ExitCode.USAGE_ERROR
    assert OPENED.search(ran.output), ran.output


@pytest.mark.parametrize("text", [EARLY.replace("prod", "test"), EARLY + "CONNECTION.close()\n"])
def test_an_early_connection_that_does_no_harm_is_none(run: Run, text: str) -> None:
    """One to a database on the list, or one that is closed, does not stop the run."""
    assert run({"early.py": text, "test_it.py": ONE}, "-p", "early").exit_code == 0


@pytest.mark.parametrize("way", ["-p", "PYTEST_PLUGINS", "initial conftests"])
def test_the_guard_is_there_before_other_plugins(run: Run, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """What comes after it cannot connect: plugins of -p after its own, of PYTEST_PLUGINS, and what they do at first."""
    hook = "import pytest\n\n@pytest.hookimpl(tryfirst=True)\ndef pytest_load_initial_conftests():\n    save('x')\n"
    files = {"app.py": APP, "early.py": "from app import save\n" + (hook if "conftest" in way else "save('x')\n")}
    monkeypatch.setenv("PYTHONPATH", ".")
    if way == "-p":
        ran = run({**files, "test_it.py": ONE}, "-p", "kit-db-guard", "-p", "early")
    else:
        monkeypatch.setenv("PYTEST_PLUGINS", "early")
        ran = run({**files, "test_it.py": ONE})
    assert ran.exit_code != 0
    assert OPENER in ran.output
    assert not (ran.folder / "prod.db").exists()


LAST = """\
import atexit
import threading
from app import save

def late():
    threading.main_thread().join()
    save("x", FILE)

def quietly():
    try:
        save("x", FILE)
    except Exception:
        pass

def test_it():
    WAY
"""
WAYS_AT_THE_END = {"thread": "threading.Thread(target=late).start()", "atexit": "atexit.register(quietly)"}


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
@pytest.mark.parametrize("way", WAYS_AT_THE_END)
def test_after_the_run(run: Run, workers: tuple[str, ...], way: str) -> None:
    """What is refused when pytest has ended, in a thread or at the interpreter's end, is said, and the status red."""
    text = LAST.replace("FILE", "'prod.db'").replace("WAY", WAYS_AT_THE_END[way])
    ran = run({"app.py": APP, "test_it.py": text}, *workers)
    assert (ran.exit_code, ran.outcomes) == (1, {"test_it": "passed"}), ran.output
    assert OPENER in ran.output
    assert not (ran.folder / "prod.db").exists()


@pytest.mark.parametrize("way", WAYS_AT_THE_END)
def test_after_the_run_of_a_listed_database(run: Run, way: str) -> None:
    """What is left to be done there at the end is done, and the status stays."""
    text = LAST.replace("FILE", "'test.db'").replace("WAY", WAYS_AT_THE_END[way])
    ran = run({"app.py": APP, "test_it.py": text})
    assert (ran.exit_code, ran.outcomes) == (0, {"test_it": "passed"}), ran.output
    assert (ran.folder / "test.db").exists()


CLIENTS = """\
import os
import subprocess
import sys
import pytest

SQLITE = "sqlite3 {} 'create table t (x)'"
NESTED = "import os, sys; os.system(sys.argv[1])"

def by_list(text):
    subprocess.run(["sqlite3", text.split()[1], "create table t (x)"])

def by_shell(text):
    subprocess.run(text, shell=True)

def by_system(text):
    os.system(text)

def by_script(text):
    with open("script.sh", "w") as file:
        file.write(f"#!/bin/sh\\n{text}\\n")
    subprocess.run(["sh", "script.sh"])

def by_variable(text):
    subprocess.run("sqlite3 $FILE 'create table t (x)'", shell=True, env={**os.environ, "FILE": text.split()[1]})

def by_python(text):
    subprocess.run([sys.executable, "-c", NESTED, text])

def by_exec(text):
    if not (child := os.fork()):
        try:
            os.execvp("sqlite3", ["sqlite3", text.split()[1], "create table t (x)"])
        finally:
            os._exit(1)
    os.waitpid(child, 0)

def by_spawn(text):
    os.waitpid(os.posix_spawnp("sqlite3", ["sqlite3", text.split()[1], "create table t (x)"], {}), 0)

WAYS = by_list, by_shell, by_system, by_script, by_variable, by_python, by_exec, by_spawn

@pytest.mark.parametrize("file", ["prod.db", "test.db"])
@pytest.mark.parametrize("start", WAYS)
def test_start(start, file):
    try:
        start(SQLITE.format(file))
    except Exception as error:
        print(error)
"""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program called sqlite3 that makes the file that it is given."""
    program = tmp_path / "bin" / "sqlite3"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n: > "$1"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("client")
def test_native_clients(run: Run) -> None:
    """A client is judged by its words and variables, however it is started, and whatever is made of it."""
    ran = run({"test_it.py": CLIENTS})
    ways = CLIENTS.partition("WAYS = ")[2].partition("\n")[0].split(", ")
    assert ran.outcomes == {
        f"test_start[{way}-{file}]": outcome
        for way in ways
        for file, outcome in (("prod.db", "failed"), ("test.db", "passed"))
    }, ran.output
    assert not (ran.folder / "prod.db").exists()
    assert (ran.folder / "test.db").exists()


UNREAD = """\
import os
import subprocess
import sys

def test_unread():
    subprocess.run("f=prod.db; sqlite3 $(echo $f) 'select 1'", shell=True)

def test_without_the_guard():
    pid = os.posix_spawn(sys.executable, ["python", "-c", "import sqlite3; sqlite3.connect('prod.db')"], {})
    os.waitpid(pid, 0)

def test_isolated():
    subprocess.run([sys.executable, "-I", "-c", ""], check=True)

def test_behind_another():
    assert os.system(f"PYTHONPATH=src {sys.executable} -c ''") == 0
"""


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_what_cannot_be_judged(run: Run, workers: tuple[str, ...]) -> None:
    """It is stopped, with the reason and what allows it by its name; a Python that ignores the guard is named."""
    ran = run({"test_it.py": UNREAD}, *workers)
    assert ran.outcomes == {
        "test_unread": "failed", "test_without_the_guard": "failed", "test_isolated": "passed",
        "test_behind_another": "passed",
    }, ran.output  # fmt: skip
    assert "test_unread requested a database through sqlite3, and the guard cannot tell which one" in ran.output
    assert "allow it by name: db_guard_drivers = sqlite3" in ran.output
    assert re.search(r"db-guard: not guarded: python\S*: an option \(-I, .*test_it\.py:13", ran.output)
    assert re.search(r"not guarded: python\S*: PYTHONPATH is replaced before it starts, .*test_it\.py:16", ran.output)
    assert not (ran.folder / "prod.db").exists()
    again = run({"test_it.py": UNREAD}, *workers, "-o", "db_guard_drivers=sqlite3", "-k", "unread")
    assert again.outcomes == {"test_unread": "passed"}
    assert "sqlite3 may connect anywhere (db_guard_drivers)" in again.output


LEFT_OPEN = """\
import os
import subprocess
import sys

def isolated():
    subprocess.run([sys.executable, "-I", "-c", ""], check=True)

def by_another(code="import subprocess, sys; subprocess.run([sys.executable, '-I', '-c', ''])"):
    subprocess.run([sys.executable, "-c", code], check=True)

def by_a_fork():
    pid = os.fork()
    if pid == 0:
        isolated()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

def by_an_old_one():
    subprocess.run([os.environ["OLD_PYTHON"], "-c", ""], check=True)

def test_it():
    globals()[os.environ["WAY"]]()
"""


OLD_PYTHONS = sorted(Path(sys.base_prefix).parent.glob("[23].[678].*/bin/python"))  # that take no probes in
WAYS_LEFT_OPEN = ["isolated", "by_another", "by_a_fork", *(["by_an_old_one"] if OLD_PYTHONS else [])]


@pytest.mark.parametrize("way", WAYS_LEFT_OPEN)
def test_a_python_without_the_guard_makes_the_run_fail(run: Run, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Whoever started it, it is named, and the run is red; where `db_guard_drivers` has `python`, it is named alone."""
    monkeypatch.setenv("WAY", way)
    monkeypatch.setenv("OLD_PYTHON", str(OLD_PYTHONS[0].resolve()) if OLD_PYTHONS else "")
    ran = run({"test_it.py": LEFT_OPEN})
    assert ran.outcomes == {"test_it": "passed"}, ran.output
    assert re.search("db-guard: not guarded: [pP]ython.*(-I|too old)", ran.output), ran.output
    assert "db_guard_drivers = python" in ran.output
    assert ran.exit_code == 1
    if way == "by_another":
        allowed = run({"test_it.py": LEFT_OPEN}, "-o", "db_guard_drivers=python")
        assert "db-guard: not guarded: python" in allowed.output
        assert allowed.exit_code == 0


GOES_ON = """\
import sqlite3
import sys
import threading
import pytest

go = threading.Event()

def later():
    go.wait()
    sqlite3.connect("after.db")

code = pytest.main(["-q", "-p", "no:cacheprovider", "--db-guard", "test_it.py"])
go.set()
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
sqlite3.connect("after.db")
sys.exit(code)
"""
LEFT = """\
import atexit
import sqlite3
import sys
import threading

def test_it():
    threading.Thread(target=sys.modules["__main__"].later).start()
    LEFT
"""


@pytest.mark.parametrize(("left", "exit_code"), [("", 0), ("atexit.register(sqlite3.connect, 'prod.db')", 1)])
def test_a_program_that_goes_on(tmp_path: Path, left: str, exit_code: int) -> None:
    """After pytest.main the program may connect, in any thread; what the run has left for the end may not."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(LEFT.replace("LEFT", left))
    (tmp_path / "program.py").write_text(GOES_ON)
    ended = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert ended.returncode == exit_code, ended.stdout + ended.stderr
    assert ("after the last test" in ended.stderr) == bool(exit_code)
    assert (tmp_path / "after.db").exists()
    assert not (tmp_path / "prod.db").exists()


def test_no_secret_is_in_what_the_guard_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal names the database and the process that asked for it; neither has a password, whatever its spelling."""
    monkeypatch.setenv("SHOP_TOKEN", "Mk01-ZqxW7")
    tests = """\
import os, sqlite3, subprocess, sys
import pytest

def test_file():
    with pytest.raises(Exception):
        sqlite3.connect(f"{os.environ['SHOP_TOKEN']}.db")

@pytest.mark.parametrize("number", range(4))
def test_server(number):
    import psycopg
    url = ["postgresql://u:a%2FMk02-ZqxW7@127.0.0.1:1/x", "postgresql://u@127.0.0.1:1/x?password=Mk03-ZqxW7",
           "host=127.0.0.1 port=1 user=u dbname=x password='it\\\\'s Mk04-ZqxW7'", "service=Mk05 password=Mk05-ZqxW7"]
    with pytest.raises(Exception):
        psycopg.connect(url[number])

def test_child():
    reach = "import sqlite3; sqlite3.connect('prod.db')"
    subprocess.run([sys.executable, "-c", reach, "--password", "Mk06-ZqxW7", "DB_PASS=Mk07-ZqxW7"], capture_output=True)
"""
    ran = run({"test_it.py": tests}, "--show-capture=no", "--tb=line")
    assert "prod.db" in ran.output
    assert not re.findall("Mk0[1-7]", ran.output)


WITHIN = """\
import pathlib
import pytest
from app import save

def test_inner(tmp_path, monkeypatch):
    (tmp_path / "pytest.ini").write_text("[pytest]\\ndb_guard_allow = inner.db\\n")
    inner = "from app import save\\n\\ndef test_it(): save('x', 'FILE')\\n"
    (tmp_path / "test_listed.py").write_text(inner.replace("FILE", str(tmp_path / "inner.db")))
    (tmp_path / "test_other.py").write_text(inner.replace("FILE", "test.db"))
    run = ["-q", "-pno:cacheprovider", "--no-summary", f"-c{tmp_path / 'pytest.ini'}", "--db-guard"]
    assert pytest.main([*run, str(tmp_path / "test_other.py")]) == 1

def test_listed():
    save("x", "test.db")

def test_other():
    save("x")
"""


def test_a_run_within_a_run(run: Run) -> None:
    """A guarded run that a test starts in the same process has its own list, and leaves nothing to the outer one."""
    ran = run({"app.py": APP, "test_it.py": WITHIN})
    assert ran.outcomes == {"test_inner": "passed", "test_listed": "passed", "test_other": "failed"}, ran.output
    assert (ran.exit_code, (ran.folder / "test.db").exists()) == (1, True)


def test_a_server_of_forks_that_was_started_before_the_guard_stops_the_run(run: Run) -> None:
    """What it forks later would have no guard: the run is refused."""
    early = "from multiprocessing import forkserver\n\nforkserver.ensure_running()\n"
    ran = run({"early.py": early, "test_it.py": ONE}, "-p", "early")
    assert ran.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "The fork server of multiprocessing was started before the guard was loaded" in ran.output


def test_a_guarded_run_can_be_traced(tmp_path: Path) -> None:
    """Under `kit trace` the guard stops what it stops alone, in this process and in those that it starts."""
    child = "subprocess.run([sys.executable, '-c', 'import app; app.save(1)'], env={})"
    tests = f"import subprocess, sys\nfrom app import save\n\ndef test_child():\n    {child}\n"
    tests += "def test_other(): save('x')\n"
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --db-guard\ndb_guard_allow = test.db\n")
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "test_it.py").write_text(f"{tests}\ndef test_listed(): save('x', 'test.db')\n")
    command = [sys.executable, "-m", "kit", "trace", "--", sys.executable, "-m", "pytest", "-rA", *LIGHT]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S)
    outcomes = Ran(tmp_path, ended.returncode, ended.stdout).outcomes
    assert outcomes == {"test_other": "failed", "test_child": "failed", "test_listed": "passed"}, ended.stderr
    assert not (tmp_path / "prod.db").exists()
