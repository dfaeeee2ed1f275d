"""A lock that an open transaction holds: another holder of the lock is not overlooked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from kit.detectors.sessions import lock_held_by_transaction
from kit.pair import Pair
from kit.pair.slots import open_slots
from tests.projects import LIGHT, diagnosed, write

KIT = Path(__file__).parents[2]

HOLDER = """
    import os, sys
    import psycopg

    with psycopg.connect(os.environ["HELD_URL"]) as connection:
        connection.execute("select title from books")
        print("held", flush=True)
        sys.stdin.readline()
"""
TEST = """
    import os, subprocess, sys
    import pytest
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session

    engine = create_engine(os.environ["LIBRARY_URL"], connect_args={{"options": "-c lock_timeout=500ms"}})
    session = Session(engine)

    @pytest.fixture(autouse=True)
    def tables():
        with engine.begin() as connection:
            connection.execute(text("create table if not exists books (title text)"))
            connection.execute(text("create table if not exists shelves (place text)"))
        command = [sys.executable, "holder.py"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            holder.stdout.readline()
            yield
            try:
                with engine.begin() as connection:
                    connection.execute(text("drop table books"))
            finally:
                holder.stdin.close()

    def test_there_is_nothing():
        assert session.scalars(text("select * from {table}")).all() == []
"""


@pytest.mark.parametrize(("table", "told"), [("shelves", False), ("books", True)])
def test_another_holder_is_not_overlooked(pair: Pair, tmp_path: Path, table: str, told: bool) -> None:
    """Where another process holds the lock, too, or alone, no transaction of the tests is called the cause."""
    write(tmp_path, {"holder.py": HOLDER, "test_it.py": TEST.format(table=table)})
    with open_slots(pair, 1) as (own,):
        test = f"{own.test.host}:{own.test.port}/{own.test.database}"
        urls = {"LIBRARY_URL": own.test.url("psycopg"), "HELD_URL": own.test.url()}
        answer, found = diagnosed(tmp_path, allow=[test], **urls)
    assert (lock_held_by_transaction.NAME in [one.kind for one in answer.findings]) is told
    assert lock_held_by_transaction.NAME not in [cause.kind for cause in found.causes], found


HANGING = """
    import os, pathlib, time
    import pytest
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session

    engine = create_engine(os.environ["LIBRARY_URL"])
    session = Session(engine)

    def reached():
        pathlib.Path("reached").touch()

    @pytest.fixture(autouse=True)
    def tables():
        with engine.begin() as connection:
            connection.execute(text("create table if not exists books (title text)"))
        yield
        {before}
        with engine.begin() as connection:
            reached()
            connection.execute(text("drop table books"))
        {after}

    def test_there_is_nothing():
        assert session.scalars(text("select * from books")).all() == []
"""


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [("", "", True), ("session.close()", "time.sleep(300)", False)],
    ids=["the session is open", "it is closed, and something else lasts"],
)
def test_a_trace_that_is_interrupted_names_the_lock_that_is_waited_for(
    pair: Pair, tmp_path: Path, before: str, after: str, told: bool
) -> None:
    """Ctrl-C in a statement that waits: both lines are named, though pytest ends by itself; else nothing is."""
    write(tmp_path, {"test_it.py": HANGING.format(before=before, after=after)})
    with open_slots(pair, 1) as (own,):
        environ = {**os.environ, "PYTHONPATH": str(KIT), "LIBRARY_URL": own.test.url("psycopg")}
        output = _interrupted(tmp_path, environ, own.test.url() if told else "", LIGHT)
    assert "KeyboardInterrupt" in output
    assert (lock_held_by_transaction.NAME in output) is told, output
    if told:
        lines = (tmp_path / "test_it.py").read_text().splitlines()
        dropped, selected = (next(n for n, line in enumerate(lines, 1) if part in line) for part in ("drop", "select"))
        assert f"drop at test_it.py:{dropped} tables" in output
        assert f"begun at test_it.py:{selected} test_there_is_nothing" in output, output


IN_A_LOOP = """
    import os, pathlib
    import asyncpg, pytest

    @pytest.mark.asyncio
    async def test_there_is_nothing():
        reader, other = [await asyncpg.connect(os.environ["LIBRARY_URL"]) for _ in range(2)]
        await other.execute("create table if not exists books (title text)")
        await reader.transaction().start()
        await reader.fetch("select * from books")
        pathlib.Path("reached").touch()
        await other.execute("drop table books")
"""


def test_a_trace_that_is_interrupted_in_an_event_loop_names_the_lock(pair: Pair, tmp_path: Path) -> None:
    """The loop cancels what waits, within a driver that is written in Cython: both lines are named all the same."""
    write(tmp_path, {"test_it.py": IN_A_LOOP})
    with open_slots(pair, 1) as (own,):
        environ = {**os.environ, "PYTHONPATH": str(KIT), "LIBRARY_URL": own.test.url()}
        output = " ".join(_interrupted(tmp_path, environ, own.test.url()).split())
    lines = (tmp_path / "test_it.py").read_text().splitlines()
    dropped, begun = (next(n for n, line in enumerate(lines, 1) if part in line) for part in ("drop", ".start()"))
    assert f"drop at test_it.py:{dropped} test_there_is_nothing" in output
    assert f"begun at test_it.py:{begun} test_there_is_nothing" in output
    assert "1 of 1 test reached one" in output


def _interrupted(folder: Path, environ: dict[str, str], url: str, options: Sequence[str] = ()) -> str:
    """Trace tests, press Ctrl-C when one waits for a lock at this URL ("": nowhere), and return the output."""
    command = [sys.executable, "-m", "kit", "trace", "--", sys.executable, "-m", "pytest", "-q", *options]
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, start_new_session=True) as process:  # fmt: skip
        while not (folder / "reached").exists() and process.poll() is None:
            time.sleep(0.05)
        if url:
            _wait_for_a_lock(url)
        else:
            time.sleep(1)
        os.killpg(process.pid, signal.SIGINT)
        return process.communicate(timeout=120)[0]


def _wait_for_a_lock(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        while not connection.execute("select 1 from pg_stat_activity where wait_event_type = 'Lock'").fetchall():
            time.sleep(0.05)
