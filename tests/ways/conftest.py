"""Shared by all ways: the database that they reach, and the statement that they run there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PRODUCTION = os.environ["PRODUCTION"]


def said_by(way: str) -> str:
    """The statement that shows in the server's log which way reached it."""
    return f"select 'reached by {way}'"


@pytest.fixture
def way(request: pytest.FixtureRequest) -> str:
    return request.node.name.partition("_")[2]


@pytest.fixture
def statement(way: str) -> str:
    return said_by(way)


@pytest.fixture
def code(statement: str) -> str:
    """A program that connects to production."""
    return f"import psycopg2; psycopg2.connect({PRODUCTION!r}).cursor().execute({statement!r})"


@pytest.fixture
def cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment from which a test has removed all variables."""
    for name in list(os.environ):
        monkeypatch.delenv(name)


@pytest.fixture
def script(tmp_path, code: str):
    """A script whose first line names this interpreter."""
    path = tmp_path / "script"
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)
    return path


def wait_for(pid: int) -> None:
    os.waitpid(pid, 0)


def quietly(*command: str, **options) -> None:
    subprocess.run(command, check=False, stdin=subprocess.DEVNULL, **options)
