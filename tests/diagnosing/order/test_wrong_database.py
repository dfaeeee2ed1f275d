"""Tests that reach a wrong database only because of what an earlier test left: whole diagnoses."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kit.answer.diagnosis import Status
from tests.projects import diagnosed, write

STORE = """
    import sqlite3
    from shop import config

    def names():
        with sqlite3.connect(f"{config.database()}.db") as db:
            return [row[0] for row in db.execute("select name from sites")]
"""
LAST = """
    from shop.store import names

    def test_empty():
        assert names() == []
"""
VARIABLE = """
    from contextvars import ContextVar

    tenant = ContextVar("tenant", default="test")

    def database():
        return tenant.get()
"""
SET = """
    from shop import config

    def test_set():
        config.tenant.set("prod")
"""
RELOADED = """
    import os

    NAME = os.environ.get("SITES_DATABASE", "test")

    def database():
        return NAME
"""
RELOADS = """
    import importlib, os
    from unittest.mock import patch
    from shop import config

    def test_of_variable():
        with patch.dict(os.environ, SITES_DATABASE="prod"):
            importlib.reload(config)
"""


def project(folder: Path, config: str, first: str) -> Path:
    """A project with both databases, production with a row."""
    files = {"shop/__init__.py": "", "shop/config.py": config, "shop/store.py": STORE, "test_a.py": first}
    made = write(folder, {**files, "test_b.py": LAST})
    for name, rows in (("prod", ["south"]), ("test", [])):
        with sqlite3.connect(made / f"{name}.db") as db:
            db.execute("create table sites (name)")
            db.executemany("insert into sites values (?)", [(row,) for row in rows])
        db.close()
    return made


@pytest.mark.parametrize(
    ("config", "first", "state", "file"),
    [(VARIABLE, SET, "shop.config.tenant", "test_a.py"), (RELOADED, RELOADS, "shop.config.NAME", "shop/config.py")],
    ids=["context-variable", "reloaded-module"],
)
def test_what_an_earlier_test_leaves_is_the_cause(
    tmp_path: Path, config: str, first: str, state: str, file: str
) -> None:
    """Alone the test reaches its own database; after the other one it is refused the wrong one."""
    _, diagnosis = diagnosed(project(tmp_path, config, first), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    assert (cause.kind, cause.file) == ("state-left-by-test", file)
    assert state in cause.what
    assert "test_a.py::" in cause.what


def test_what_is_reached_alone_too_is_not_laid_on_an_earlier_test(tmp_path: Path) -> None:
    """The earlier test leaves as much, and the application's own default names the wrong database."""
    config = VARIABLE.replace("return tenant.get()", 'return "prod"')
    _, diagnosis = diagnosed(project(tmp_path, config, SET), allow=["test.db"])
    assert "state-left-by-test" not in {cause.kind for cause in diagnosis.causes}
