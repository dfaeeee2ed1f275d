"""Ways to a database off the allow-list. Each must be stopped, and its test must fail even if it swallows the error.

`tests/live/test_guard_ways.py` runs them under --db-guard, with a live server for production.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import importlib
import multiprocessing
import os
import pathlib
import pty
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from subprocess import Popen
from unittest import mock

import aiosqlite
import asyncpg
import databases
import psycopg
import psycopg2
import psycopg2.extensions
import psycopg2.extras
import psycopg2.pool
import psycopg_pool
import pytest
import sqlalchemy
from conftest import PRODUCTION, quietly, wait_for
from psycopg import connect as bound_psycopg
from psycopg2 import connect as bound_psycopg2
from sqlalchemy.ext.asyncio import create_async_engine

FILE = "prod.db"


def run(function, *args):
    """Call a function as applications do that swallow all errors."""
    with contextlib.suppress(Exception):
        return function(*args)


# --- drivers ----------------------------------------------------------------------------------------------------------


def test_psycopg(statement):
    run(lambda: psycopg.connect(PRODUCTION).execute(statement))


def test_psycopg_class(statement):
    run(lambda: psycopg.Connection.connect(PRODUCTION).execute(statement))


def test_psycopg_subclass(statement):
    class Own(psycopg.Connection):
        pass

    run(lambda: Own.connect(PRODUCTION).execute(statement))


def test_psycopg_bound(statement):
    run(lambda: bound_psycopg(PRODUCTION).execute(statement))


def test_psycopg_async(statement):
    async def main():
        await (await psycopg.AsyncConnection.connect(PRODUCTION)).execute(statement)

    run(asyncio.run, main())


def test_psycopg_pool(statement):
    def main():
        with psycopg_pool.ConnectionPool(PRODUCTION, min_size=1, open=True, reconnect_timeout=0) as pool:
            with pool.connection(timeout=2) as connection:
                connection.execute(statement)

    run(main)


def test_psycopg_below(statement):
    run(lambda: psycopg.pq.PGconn.connect(PRODUCTION.encode()).exec_(statement.encode()))


def test_psycopg2(statement):
    run(lambda: psycopg2.connect(PRODUCTION).cursor().execute(statement))


def test_psycopg2_bound(statement):
    run(lambda: bound_psycopg2(PRODUCTION).cursor().execute(statement))


def test_psycopg2_pool(statement):
    run(lambda: psycopg2.pool.ThreadedConnectionPool(1, 1, PRODUCTION).getconn().cursor().execute(statement))


def test_psycopg2_factory(statement):
    factory = psycopg2.extras.LoggingConnection
    run(lambda: psycopg2.connect(PRODUCTION, connection_factory=factory).cursor().execute(statement))


def test_psycopg2_class(statement):
    run(lambda: psycopg2.extensions.connection(PRODUCTION).cursor().execute(statement))


def test_psycopg2_module(statement):
    from psycopg2 import _psycopg

    run(lambda: _psycopg._connect(PRODUCTION).cursor().execute(statement))


def test_psycopg2_reloaded(statement):
    importlib.reload(psycopg2)
    run(lambda: psycopg2.connect(PRODUCTION).cursor().execute(statement))


def test_asyncpg(statement):
    async def main():
        await (await asyncpg.connect(PRODUCTION)).execute(statement)

    run(asyncio.run, main())


def test_asyncpg_pool(statement):
    async def main():
        await (await asyncpg.create_pool(PRODUCTION, min_size=1, max_size=1)).execute(statement)

    run(asyncio.run, main())


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_engine(driver, statement):
    url = PRODUCTION.replace("postgresql:", f"postgresql+{driver}:")
    if driver != "asyncpg":
        run(lambda: sqlalchemy.create_engine(url).connect().exec_driver_sql(statement))
        return

    async def main():
        async with create_async_engine(url).connect() as connection:
            await connection.exec_driver_sql(statement)

    run(asyncio.run, main())


def test_engine_creator(statement):
    engine = sqlalchemy.create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(PRODUCTION))
    run(lambda: engine.connect().exec_driver_sql(statement))


def test_engine_listener(statement):
    engine = sqlalchemy.create_engine("postgresql+psycopg2://nobody@nowhere/nothing")
    sqlalchemy.event.listen(engine, "do_connect", lambda *_: psycopg2.connect(PRODUCTION))
    run(lambda: engine.connect().exec_driver_sql(statement))


def test_databases(statement):
    async def main():
        async with databases.Database(PRODUCTION) as database:
            await database.execute(statement)

    run(asyncio.run, main())


# --- files ------------------------------------------------------------------------------------------------------------


def test_sqlite():
    run(sqlite3.connect, FILE)


def test_sqlite_class():
    run(sqlite3.Connection, FILE)


def test_sqlite_subclass():
    class Own(sqlite3.Connection):
        pass

    run(Own, FILE)


def test_sqlite_below():
    import _sqlite3

    run(_sqlite3.connect, FILE)


def test_sqlite_reloaded():
    importlib.reload(sqlite3.dbapi2)
    run(sqlite3.dbapi2.connect, FILE)


def test_sqlite_uri():
    run(lambda: sqlite3.connect(f"file:{FILE}?mode=rwc", uri=True))


def test_sqlite_path():
    run(sqlite3.connect, pathlib.Path(FILE).absolute())


def test_sqlite_link():
    os.symlink(os.path.abspath(FILE), "test-link.db")
    run(sqlite3.connect, "test-link.db")


def test_sqlite_attached():
    run(sqlite3.connect(":memory:").execute, f"attach '{FILE}' as other")


def test_sqlite_copied():
    run(sqlite3.connect(":memory:").execute, f"vacuum into '{FILE}'")


def test_sqlite_old_cursor():
    run(sqlite3.connect(":memory:").cursor().executescript, f"attach '{FILE}' as other; create table other.t (x);")


def test_aiosqlite():
    async def main():
        async with aiosqlite.connect(FILE):
            pass

    run(asyncio.run, main())


# --- threads ----------------------------------------------------------------------------------------------------------


def test_thread():
    thread = threading.Thread(target=run, args=(sqlite3.connect, FILE))
    thread.start()
    thread.join()


def test_low_thread():
    import _thread

    done = threading.Event()
    _thread.start_new_thread(lambda: (run(sqlite3.connect, FILE), done.set()), ())
    done.wait()


def test_pool_of_threads():
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(sqlite3.connect, FILE)


def test_finalizer():
    class Own:
        def __del__(self):
            sqlite3.connect(FILE)

    Own()
    gc.collect()


def test_signal():
    before = signal.signal(signal.SIGUSR1, lambda *_: run(sqlite3.connect, FILE))
    signal.raise_signal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


# --- processes --------------------------------------------------------------------------------------------------------


def test_process(code):
    quietly(sys.executable, "-c", code)


def test_process_with_an_environment(code):
    quietly(sys.executable, "-c", code, env={})


def test_process_without_a_path(code):
    quietly(sys.executable, "-c", code, env={**os.environ, "PYTHONPATH": ""})


def test_process_by_shell(code):
    subprocess.run(shlex.join([sys.executable, "-c", code]), shell=True)


def test_process_by_a_bound_name(code):
    Popen([sys.executable, "-c", code]).wait()


def test_process_of_asyncio(code):
    async def main():
        await (await asyncio.create_subprocess_exec(sys.executable, "-c", code, env={})).wait()

    asyncio.run(main())


def test_process_script(script):
    quietly(str(script), env={"PATH": os.environ["PATH"]})


def test_process_within_a_process(code):
    nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], env={})"
    quietly(sys.executable, "-c", nested, code, env={})


def test_process_detached(code):
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True).wait()


def test_system(code):
    os.system(shlex.join([sys.executable, "-c", code]))


def test_popen_of_os(code):
    os.popen(shlex.join([sys.executable, "-c", code])).close()


def test_spawnve(code):
    os.spawnve(os.P_WAIT, sys.executable, [sys.executable, "-c", code], {})


def test_posix_spawn(code):
    run(lambda: wait_for(os.posix_spawn(sys.executable, [sys.executable, "-c", code], {})))


def test_execve(code):
    if not (pid := os.fork()):
        os.execve(sys.executable, [sys.executable, "-c", code], {})
    wait_for(pid)


def test_pty(code):
    pty.spawn([sys.executable, "-c", code], lambda number: os.read(number, 1024))


def test_fork(code):
    if not (pid := os.fork()):
        try:
            exec(code)
        finally:
            os._exit(0)
    wait_for(pid)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method):
    process = multiprocessing.get_context(method).Process(target=sqlite3.connect, args=(FILE,))
    process.start()
    process.join()


def test_pool_of_processes():
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        run(pool.submit(sqlite3.connect, FILE).result)


@pytest.mark.usefixtures("cleared")
def test_cleared_process(code):
    quietly(sys.executable, "-c", code)


@pytest.mark.usefixtures("cleared")
def test_cleared_copy(code):
    quietly(sys.executable, "-c", code, env=dict(os.environ))


@pytest.mark.usefixtures("cleared")
def test_cleared_system(code):
    os.system(shlex.join([sys.executable, "-c", code]))


@pytest.mark.usefixtures("cleared")
def test_cleared_multiprocessing():
    process = multiprocessing.get_context("spawn").Process(target=sqlite3.connect, args=(FILE,))
    process.start()
    process.join()


def test_replaced_environment(code, monkeypatch):
    monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"]})
    quietly(sys.executable, "-c", code)


def test_cleared_unheard(code):
    """By `unsetenv`, which does not update `os.environ`."""
    kept = {name: os.environ[name] for name in list(os.environ)}
    for name in kept:
        os.unsetenv(name)
    try:
        os.system(shlex.join([sys.executable, "-c", code]))
    finally:
        os.environ.update(kept)


# --- a process that takes the import system, or a module, away from the guard -----------------------------------------

FINDERS = "import sys; sys.meta_path[:] = [one for one in sys.meta_path if 'frozen' in one.__module__]; "


def test_finders(code):
    quietly(sys.executable, "-c", FINDERS + code)


def test_finders_of_its_own(code):
    quietly(sys.executable, "-c", FINDERS.replace("meta_path[:] =", "meta_path =") + code)


def test_finders_by_name(code):
    quietly(sys.executable, "-c", FINDERS + code.replace("import psycopg2;", "psycopg2 = __import__('psycopg2');"))


def test_imported_anew(code):
    again = "import sys, psycopg2; [sys.modules.pop(name) for name in list(sys.modules) if 'psycopg2' in name]; "
    quietly(sys.executable, "-c", again + code)


def test_imported_by_importlib(code):
    by_importlib = code.replace("import psycopg2;", "import importlib; psycopg2 = importlib.import_module('psycopg2');")
    quietly(sys.executable, "-c", FINDERS + by_importlib)


# --- what is mocked or taken away -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what", ["os.write", "os.open", "os.getpid", "os.fstat", "json.dumps", "builtins.open", "threading.current_thread"]
)
def test_mocked(what):
    with mock.patch(what, side_effect=OSError):
        run(sqlite3.connect, FILE)


def test_mocked_path():
    with mock.patch("os.path.realpath", return_value=os.path.abspath("test.db")):
        run(sqlite3.connect, FILE)


def test_no_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    run(sqlite3.connect, FILE)


def test_faked_modules(monkeypatch):
    """As pyfakefs does: another `os` in every module that has one."""
    fake = mock.MagicMock(name="os", spec=os)
    for module in list(sys.modules.values()):
        for name in ("os", "io", "json"):
            if isinstance(module, type(sys)) and vars(module).get(name) is sys.modules[name]:
                monkeypatch.setitem(vars(module), name, fake)
    run(sqlite3.connect, FILE)


def test_no_temporary_files(code):
    for folder in pathlib.Path(tempfile.gettempdir()).glob("db-guard-*"):
        shutil.rmtree(folder)
    quietly(sys.executable, "-c", code)


def test_no_folder_of_temporary_files(code):
    shutil.rmtree(tempfile.gettempdir())
    quietly(sys.executable, "-c", code)
    os.mkdir(tempfile.gettempdir())


def test_working_directory(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    before = os.getcwd()
    os.chdir(folder)
    folder.rmdir()
    try:
        run(sqlite3.connect, os.path.join(before, FILE))
    finally:
        os.chdir(before)


# --- native clients ---------------------------------------------------------------------------------------------------


def test_psql(statement):
    run(quietly, "psql", PRODUCTION, "-c", statement)


def test_psql_by_shell(statement):
    run(lambda: subprocess.run(shlex.join(["psql", PRODUCTION, "-c", statement]), shell=True))


def test_psql_by_variables(statement):
    url = sqlalchemy.make_url(PRODUCTION)
    told = {
        "PGHOST": url.host, "PGPORT": str(url.port), "PGUSER": url.username, "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
    }  # fmt: skip
    run(lambda: quietly("psql", "-c", statement, env={**os.environ, **told}))


def test_psql_by_service(statement, tmp_path, monkeypatch):
    url = sqlalchemy.make_url(PRODUCTION)
    told = f"host={url.host}\nport={url.port}\nuser={url.username}\npassword={url.password}\ndbname={url.database}\n"
    (tmp_path / "services").write_text(f"[mine]\n{told}")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    run(quietly, "psql", "service=mine", "-c", statement)


def test_psql_by_script(statement, tmp_path):
    (tmp_path / "script.sh").write_text(f'#!/bin/sh\nset -e\npsql "$URL" -c "{statement}"\n')
    (tmp_path / "script.sh").chmod(0o755)
    run(lambda: quietly(str(tmp_path / "script.sh"), env={**os.environ, "URL": PRODUCTION}))


def test_psql_by_python(statement):
    code = "import subprocess, sys; subprocess.run(['psql', *sys.argv[1:]])"
    quietly(sys.executable, "-c", code, PRODUCTION, "-c", statement, env={"PATH": os.environ["PATH"]})


def test_psql_by_system(statement):
    run(os.system, f'PGOPTIONS= psql "{PRODUCTION}" -c "{statement}" || true')


def test_pg_dump():
    run(quietly, "pg_dump", "-d", PRODUCTION, "-f", os.devnull)


def test_dropdb():
    url = sqlalchemy.make_url(PRODUCTION)
    run(quietly, "dropdb", "-h", url.host, "-p", str(url.port), "nothing")


def test_psql_elsewhere(statement):
    run(quietly, "docker", "exec", "db", "psql", "-c", statement)


def test_psql_that_drops_another_database():
    run(quietly, "psql", os.environ["TEST"], "-c", "drop database if exists of_nobody")


def test_psql_that_drops_what_it_is_told(tmp_path):
    (tmp_path / "drop.sql").write_text('drop database if exists :"name";\n')
    run(quietly, "psql", os.environ["TEST"], "-v", "name=of_nobody", "-f", str(tmp_path / "drop.sql"))
