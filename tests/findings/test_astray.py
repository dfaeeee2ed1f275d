"""An engine that connects to another place than its URL names: whoever saw to that is the culprit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kit.evidence import ConnectListener
from tests.findings.seen_runs import found, leak
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
        ("engine = create_engine('sqlite:///test.db')", "redirect", 13, "redirect(), which listens to do_connect,"),
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


@pytest.mark.parametrize(
    ("configured", "astray"),
    [
        ("postgresql://me@db:5432/shop", False), ("postgresql://me@db:/shop", False),
        ("postgresql://you@replica:5432/shop", True), ("postgresql://me@db:5433/shop", True),
        ("postgresql://me@db:5432/archive", True),
    ],
)  # fmt: skip
def test_a_server_is_told_by_its_place(configured: str, astray: bool) -> None:
    """Another host, port or database than the URL's is another place; another user is not."""
    evidence = leak(url="postgresql://me:***@db/shop", dialect="postgresql", driver="psycopg")
    moved = tuple(replace(one, configured=configured, observed=None) for one in evidence.connections)
    listener = ConnectListener(at_s=8.0, engine="e1", function="sign", file="app/aws.py", line=3)
    kinds = [
        (finding.kind, finding.where)
        for finding in found(replace(evidence, connections=moved, connect_listeners=(listener,)))
    ]
    assert (("connected-elsewhere", "app/aws.py:3") in kinds) is astray


@pytest.mark.parametrize("url", ["sqlite:///prod.db", "sqlite:///./prod.db", "sqlite:///file:prod.db?uri=true"])
def test_a_file_is_the_same_however_it_is_written(url: str) -> None:
    """A relative path, and the URI of a file, name what was opened."""
    assert "connected-elsewhere" not in {finding.kind for finding in found(leak(url=url))}


def test_a_link_is_no_other_file() -> None:
    """What is asked for is what the URL names, wherever that leads."""
    evidence = leak(url="sqlite:///current.db")
    linked = tuple(replace(one, configured="/project/current.db") for one in evidence.connections)
    assert "connected-elsewhere" not in {
        finding.kind for finding in found(replace(evidence, connections=linked))
    }  # fmt: skip
