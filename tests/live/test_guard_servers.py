"""--db-guard with two live servers behind one name: forwarders, addresses that overrule the host, aliases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.pair import Pair, Side
from tests.live.relays import pooler
from tests.projects import LIGHT

OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR) test_it\.py::(\S+)", re.MULTILINE)
WAYS = """\
import asyncio, os, subprocess, sys
import asyncpg, psycopg, psycopg2, pytest, sqlalchemy

def by_psycopg(url, **more):
    psycopg.connect(url, **more).close()

def by_psycopg2(url, **more):
    psycopg2.connect(url, **more).close()

def by_engine(url, **more):
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), connect_args=more)
    engine.connect().close()
    engine.dispose()

def by_asyncpg(url):
    async def connect():
        await (await asyncpg.connect(url)).close()
    asyncio.run(connect())

def in_a_child(url):
    subprocess.run([sys.executable, "-c", f"import psycopg; psycopg.connect({url!r}).close()"], check=True, env={})

"""
DATABASE = "postgres"  # which both servers have


@dataclass(frozen=True, slots=True)
class Ran:
    """How a guarded run of pytest ended."""

    outcomes: dict[str, str]
    output: str


Run = Callable[..., Ran]


@pytest.fixture
def run(pair: Pair, tmp_path: Path) -> Run:
    """Run tests with a list; `{test}` and the like in their text are URLs."""

    def run(tests: str, *allow: str, options: tuple[str, ...] = (), **urls: str) -> Ran:
        for name, url in urls.items():
            tests = tests.replace(f"{{{name}}}", url)
        (tmp_path / "pytest.ini").write_text("[pytest]\ndb_guard_allow =\n" + "".join(f"    {one}\n" for one in allow))
        (tmp_path / "test_it.py").write_text(WAYS + tests)
        command = [sys.executable, "-m", "pytest", "-rA", "--db-guard", *LIGHT, *options]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        ended = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)
        output = ended.stdout + ended.stderr
        return Ran({test: outcome.lower() for outcome, test in OUTCOME.findall(output)}, output)

    return run


def url(side: Side, host: str | None = None, port: int | None = None) -> str:
    return f"postgresql://{side.user}:{side.password}@{host or side.host}:{port or side.port}/{DATABASE}"


def at(port: int, host: str = "127.0.0.1") -> str:
    return f"{host}:{port}/{DATABASE}"


WAY_NAMES = ("by_psycopg", "by_psycopg2", "by_engine", "by_asyncpg", "in_a_child")


def test_a_second_server_behind_an_entry_is_refused(pair: Pair, run: Run) -> None:
    """What leads to another server than at first is refused, by each driver and in a child, whose place is allowed."""
    tests = ['def test_first(): by_psycopg("{test}")']
    tests += [f'def test_{way}(): {way}("{{production}}")' for way in WAY_NAMES]
    tests += ['def test_again(): by_psycopg2("{test}")']
    with pooler(pair) as (_, port):
        here, there = url(pair.test, port=port), url(pair.production, port=port)
        ran = run("\n".join(tests), at(port), test=here, production=there)
    refused = dict.fromkeys((f"test_{way}" for way in WAY_NAMES), "failed")
    assert ran.outcomes == {"test_first": "passed", **refused, "test_again": "passed"}, ran.output
    assert ran.output.count("another server answered there first") >= len(refused)


def test_workers_share_what_is_known(pair: Pair, run: Run, tmp_path: Path) -> None:
    """Under pytest-xdist the place is held to the server that any worker reached first."""
    tests = """
def test_one():
    by_psycopg("{test}")
    open("go", "w").close()
def test_other():
    open("go").close()
    by_psycopg("{production}")
"""
    os.mkfifo(tmp_path / "go")  # which blocks until both have opened it
    with pooler(pair) as (_, port):
        here, there = url(pair.test, port=port), url(pair.production, port=port)
        ran = run(tests, at(port), options=("-p", "xdist", "-n", "2"), test=here, production=there)
    assert ran.outcomes == {"test_one": "passed", "test_other": "failed"}, ran.output
    assert "another server answered there first" in ran.output


def test_a_refused_server_is_refused_behind_a_forwarder(pair: Pair, run: Run) -> None:
    """A server that was refused at its own address is refused behind a forwarder whose place is allowed."""
    tests = """
def test_itself(): by_psycopg("{itself}")
def test_forwarded(): by_psycopg("{forwarded}")
"""
    with pooler(pair) as (_, port):
        ran = run(tests, at(port), itself=url(pair.production), forwarded=url(pair.production, port=port))
    assert ran.outcomes == {"test_itself": "failed", "test_forwarded": "failed"}, ran.output
    assert f"was refused before, at {at(pair.production.port)}" in ran.output
    assert "only the guard's identity query was run" in ran.output


def test_a_forwarder_alone_is_not_seen(pair: Pair, run: Run) -> None:
    """A forwarder that leads elsewhere from the first moment looks as a container's port does; `server:` tells."""
    with pooler(pair) as (_, port):
        there = url(pair.production, port=port)
        ran = run('def test_it(): by_psycopg("{there}")', at(port), there=there)
        assert ran.outcomes == {"test_it": "passed"}, ran.output
        identity = pair.test.identity
        held = f"server:{identity.system_identifier}@{identity.cluster_name}"
        ran = run('def test_it(): by_psycopg("{there}")', held, there=there)
        assert ran.outcomes == {"test_it": "failed"}, ran.output


HOSTADDR = """
def test_psycopg(): by_psycopg("{there}", hostaddr="127.0.0.2")
def test_psycopg2(): by_psycopg2("{there}", hostaddr="127.0.0.2")
def test_engine(): by_engine("{there}", hostaddr="127.0.0.2")
def test_variable(monkeypatch):
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.2")
    by_psycopg("{there}")
def test_variable_psycopg2(monkeypatch):
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.2")
    by_psycopg2("{there}")
"""


def test_an_address_that_overrules_the_host_is_refused(pair: Pair, run: Run) -> None:
    """`hostaddr` and PGHOSTADDR lead elsewhere under an allowed name: refused, and allowed by the address itself."""
    with pooler(pair, ("127.0.0.2", 0)) as (_, port):
        there = url(pair.production, port=port)
        ran = run(HOSTADDR, at(port), at(port, "localhost"), there=there)
        assert set(ran.outcomes.values()) == {"failed"}, ran.output
        assert len(ran.outcomes) == 5
        assert ran.output.count("?hostaddr=127.0.0.2 (the server reports the identity ") >= len(ran.outcomes)
        assert f"allow it: {at(port, '127.0.0.2')}" in ran.output
        ran = run(HOSTADDR, at(port, "127.0.0.2"), there=there)
        assert set(ran.outcomes.values()) == {"passed"}, ran.output


ALIASES = """
every = pytest.mark.parametrize("way", [by_psycopg, by_psycopg2, by_engine, by_asyncpg], ids=lambda way: way.__name__)

@every
def test_a_before(way): way("{alias}")
def test_b_allowed(): by_psycopg("{test}")
@every
def test_c_after(way): way("{alias}")
"""


@pytest.mark.parametrize("host", ["[::1]", "127.0.0.3", "socket"])
def test_an_alias_goes_through_once_the_server_is_known(pair: Pair, run: Run, host: str, tmp_path: Path) -> None:
    """::1, another address of the machine and a unix socket go through when the server is known to be the same."""
    port = pair.test.port
    address = str(tmp_path / f".s.PGSQL.{port}") if host == "socket" else (host.strip("[]"), port)
    alias = f"postgresql://{pair.test.user}:{pair.test.password}@/{DATABASE}?host={tmp_path}&port={port}"
    with pooler(pair, address):
        asked = alias if host == "socket" else url(pair.test, host)
        ran = run(ALIASES, at(port), test=url(pair.test), alias=asked)
    outcomes = {way: [ran.outcomes[f"test_{when}[{way}]"] for when in ("a_before", "c_after")] for way in WAY_NAMES[:4]}
    assert outcomes == {way: ["failed", "passed"] for way in WAY_NAMES[:4]}, ran.output
    assert ran.outcomes["test_b_allowed"] == "passed"


def test_localhost_and_its_addresses_are_one_host(pair: Pair, run: Run) -> None:
    """`localhost` on the list lets its addresses through, and an address the name, before anything is known."""
    tests = """
def test_name(): by_psycopg("{name}")
def test_address(): by_psycopg2("{address}")
def test_other_driver(): by_asyncpg("{name}")
"""
    urls = {"name": url(pair.test, "localhost"), "address": url(pair.test)}
    passed = dict.fromkeys(("test_name", "test_address", "test_other_driver"), "passed")
    for entry in (at(pair.test.port, "localhost"), at(pair.test.port)):
        ran = run(tests, entry, **urls)
        assert ran.outcomes == passed, ran.output


def test_an_entry_of_no_use_is_named(pair: Pair, run: Run) -> None:
    """What let nothing through is named at the end, and what lets all through at the start; neither is an error."""
    useless = at(pair.production.port)
    ran = run('def test_it(): by_psycopg("{test}")', at(pair.test.port), useless, "no.db", test=url(pair.test))
    assert ran.outcomes == {"test_it": "passed"}
    assert f"db-guard: nothing was reached that matches {useless}, no.db (db_guard_allow)" in ran.output
    ran = run('def test_it(): by_psycopg("{test}")', "*:*/*", options=("-n", "1"), test=url(pair.test))
    assert ran.outcomes == {"test_it": "passed"}
    assert "db-guard: *:*/* allows every server" in ran.output
    assert "nothing was reached" not in ran.output
