"""A lock that an open transaction holds: another holder of the lock is not overlooked for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.detectors.sessions import lock_held_by_transaction
from kit.pair import Pair
from kit.pair.slots import open_slots
from tests.projects import diagnosed, write

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
