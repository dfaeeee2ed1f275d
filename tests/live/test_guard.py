"""--db-guard with live servers: by place and by the server's own word, through each driver."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.pair import Pair, Side
from tests.live.relays import proxy
from tests.projects import LIGHT

TESTS = """\
import asyncio
import os

import asyncpg
import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

STATEMENT = "select 'a statement of the tests'"


async def by_asyncpg(url):
    connection = await asyncpg.connect(url)
    await connection.execute(STATEMENT)
    await connection.close()

async def by_pool(url):
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        await pool.execute(STATEMENT)

def by_psycopg(url):
    with psycopg.connect(url) as connection:
        connection.execute(STATEMENT)

async def by_async_psycopg(url):
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(STATEMENT)

def by_engine(url):
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(STATEMENT))
    engine.dispose()

async def by_async_engine(url):
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.connect() as connection:
        await connection.execute(sqlalchemy.text(STATEMENT))
    await engine.dispose()


@pytest.mark.parametrize("side", ["PRODUCTION", "TEST"])
@pytest.mark.parametrize(
    "reach", [by_asyncpg, by_pool, by_psycopg, by_async_psycopg, by_engine, by_async_engine], ids=lambda f: f.__name__
)
def test_reach(reach, side):
    done = reach(os.environ[side])
    if done is not None:
        asyncio.run(done)
"""
WAYS = ("by_asyncpg", "by_pool", "by_psycopg", "by_async_psycopg", "by_engine", "by_async_engine")
OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR) test_it\.py::test_reach\[(\w+)-(\w+)\]", re.MULTILINE)
Run = Callable[..., tuple[dict[tuple[str, str], str], str]]


@pytest.fixture
def run(pair: Pair, tmp_path: Path) -> Run:
    """Run the tests above with a list, and return how each ended, by way and side, and the output."""

    def run(allow: str, production: str | None = None) -> tuple[dict[tuple[str, str], str], str]:
        (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = --db-guard -rA\ndb_guard_allow = {allow}\n")
        (tmp_path / "test_it.py").write_text(TESTS)
        environ = {**os.environ, "PRODUCTION": production or pair.production.url(), "TEST": pair.test.url()}
        command = [sys.executable, "-m", "pytest", *LIGHT]
        ended = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)
        found = {(way, side): outcome.lower() for outcome, way, side in OUTCOME.findall(ended.stdout)}
        return found, ended.stdout + ended.stderr

    return run


def outcomes(production: str, test: str) -> dict[tuple[str, str], str]:
    return {(way, side): end for way in WAYS for side, end in (("PRODUCTION", production), ("TEST", test))}


def place(side: Side) -> str:
    return f"{side.host}:{side.port}/{side.database}"


def test_by_place(pair: Pair, run: Run) -> None:
    """Each driver is stopped at production with the line that asked, and let through to the test database."""
    assert pair.production.log is not None
    begun = pair.production.log.stat().st_size
    found, output = run(place(pair.test))
    assert found == outcomes("failed", "passed"), output
    for line in (14, 19, 23, 27, 32, 38):
        assert f"test_it.py:{line} by_" in output
    assert f"If it is a test database, allow it: {place(pair.production)}" in output
    assert pair.production.identity.cluster_name in output
    assert pair.production.password not in output
    with pair.production.log.open("rb") as log:
        log.seek(begun)
        assert b"a statement of the tests" not in log.read()


@pytest.mark.parametrize("with_name", [True, False])
def test_by_the_servers_own_word(pair: Pair, run: Run, with_name: bool) -> None:
    """An entry that names the server by its identity lets through that server alone."""
    identity = pair.test.identity
    entry = f"server:{identity.system_identifier}@{identity.cluster_name}"
    found, output = run(f"{entry}/{pair.test.database}" if with_name else entry)
    assert found == outcomes("failed", "passed"), output


def test_by_wildcards(pair: Pair, run: Run) -> None:
    """Wildcards stand for hosts, ports and parts of names."""
    found, output = run(f"*:*/{pair.test.database[:3]}*")
    assert found == outcomes("failed", "passed"), output


def test_a_name_that_leads_elsewhere(pair: Pair, run: Run) -> None:
    """A place on the list is refused where the server behind it says that its database is another, as proxies hide."""
    side, alias = pair.production, "alias_test"
    with proxy(side, alias) as port:
        url = side.url().replace(f":{side.port}/{side.database}", f":{port}/{alias}")
        found, output = run(f"{place(pair.test)}\n    127.0.0.1:{port}/{alias}", url)
        assert found == outcomes("failed", "passed"), output
        offered = f"server:{side.identity.system_identifier}/{side.database}"
        assert f"allow it: {offered}" in output
        found, output = run(f"{place(pair.test)}\n    {offered}", url)
        assert found == outcomes("passed", "passed"), output
