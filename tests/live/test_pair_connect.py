"""Servers that answer and yet cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from kit.errors import PairError
from kit.notebooks.investigate.sessions import left_open
from kit.pair import Pair
from kit.pair.connect import connect, identify
from kit.pair.embedded import open_embedded
from kit.pair.slots import open_slots
from kit.trials import cleaning

BEYOND_OPTIONS = ("PGTZ", "PGDATESTYLE", "PGGEQO", "PGSERVICEFILE", "PGSYSCONFDIR", "PGLOCALEDIR")
LIBPQ = [
    *(option.envvar.decode() for option in psycopg.pq.Conninfo.get_defaults() if option.envvar), *BEYOND_OPTIONS,
]  # fmt: skip
VALUES = {"PGSSLMODE": "require", "PGHOSTADDR": "127.0.0.2", "PGTARGETSESSIONATTRS": "standby", "PGPORT": "1"}


def test_a_server_that_does_not_tell_who_it_is_is_an_error() -> None:
    """Without the right to ask, the error names the server and what every role is wanted to be allowed."""
    with open_embedded() as pair:
        with connect((pair.test.admin or "").removesuffix("postgres") + pair.test.database) as connection:
            connection.execute("revoke execute on function pg_control_system() from public")
        with pytest.raises(PairError, match=r"testdb does not report its identity: permission denied .*pg_control"):
            identify(pair.test.url())


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every variable of libpq's, set to what no connection here can be made with."""
    found = {name: VALUES.get(name, "nonsense") for name in LIBPQ}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def test_no_variable_of_libpqs_reaches_the_kits_connections(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable alone changes nothing, and is what it was afterwards."""
    for name in LIBPQ:
        with monkeypatch.context() as only:
            only.setenv(name, VALUES.get(name, "nonsense"))
            assert identify(pair.test.url()).server == pair.test.identity.server
            assert os.environ[name] == VALUES.get(name, "nonsense")


def test_all_of_libpqs_variables_reach_no_part_of_the_kit(pair: Pair, hostile: dict[str, str]) -> None:
    """Pairs come up, slots are made, sessions are looked for and cleaning is tried with all of them set."""
    with open_embedded() as other:
        assert left_open(other, grace_s=0) == []
        with open_slots(other, 1) as (slot,):
            slot.reset()
    assert cleaning.try_join_modes(pair)
    assert {name: os.environ[name] for name in hostile} == hostile


def test_variables_come_back_when_the_last_of_several_connections_is_open(pair: Pair, hostile: dict[str, str]) -> None:
    """Connections opened side by side, some of which fail, do not lose a variable."""
    nowhere = "postgresql://u:p@127.0.0.1:1/none"
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(identify, url) for url in (pair.test.url(), nowhere, pair.production.url()) * 4]
    assert [one.exception() is None for one in asked] == [True, False, True] * 4
    assert {name: os.environ[name] for name in hostile} == hostile


def test_a_notebook_connects_without_libpqs_variables(pair: Pair, hostile: dict[str, str]) -> None:
    """The drivers in a notebook that has opened the pair reach it; what the notebook starts has no such variable."""
    program = (
        "import asyncio, os, asyncpg, psycopg\n"
        "from kit.notebooks.cells import _open_pair\n"
        "pair = _open_pair()\n"
        "psycopg.connect(pair.test.url()).close()\n"
        "async def ask(): await (await asyncpg.connect(pair.test.url())).close()\n"
        "asyncio.run(ask())\n"
        "print([name for name in os.environ if name.startswith('PG')])\n"
    )
    run = [sys.executable, "-c", program]
    answer = subprocess.run(run, env={**os.environ, **pair.environ()}, capture_output=True, text=True)
    assert (answer.stdout, answer.stderr) == ("[]\n", "")
