"""An engine that connects elsewhere than its URL names: who saw to the connection is named, of a project that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import traced, write

STORE = """
    import sqlite3
    from sqlalchemy import create_engine, event

    def archive(url="archive.db"):
        return sqlite3.connect(url)

    {engine}

    def watch(dialect, record, cargs, cparams):
        pass

    def redirect(dialect, record, cargs, cparams):
        cargs[0] = "archive.db"

    event.listen(engine, "do_connect", {listener})
"""
TESTS = """
    from store import engine

    def test_it():
        with engine.connect() as connection:
            connection.exec_driver_sql("select 1")
"""


@pytest.mark.parametrize(
    ("engine", "listener", "where", "by"),
    [
        ("engine = create_engine('sqlite:///test.db')", "redirect", 13, "redirect(), a listener of do_connect,"),
        ("engine = create_engine('sqlite:///test.db', creator=archive)", "watch", 6, "archive()"),
    ],
)
def test_who_saw_to_the_connection_is_named(
    tmp_path: Path, engine: str, listener: str, where: int, by: str
) -> None:
    """A function that is told of each connection is no longer running when that is made; one that makes it is."""
    project = write(tmp_path, {"store.py": STORE.format(engine=engine, listener=listener), "tests/test_it.py": TESTS})
    (finding,) = [one for one in traced(project, allow=["test.db"]).findings if one.kind == "connected-elsewhere"]
    assert (finding.file, finding.line) == ("store.py", where)
    assert by in finding.message
