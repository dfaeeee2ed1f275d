"""A re-run leads what one function connects to where the tests' code leads, with each driver of Postgres."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.pair import Pair
from kit.probes.interventions import INTERVENTIONS_VARIABLE
from kit.probes.interventions.connections import RedirectConnection
from tests.probes.seen import run

PROGRAM = """\
    import asyncio, os, sys
    import asyncpg, psycopg, psycopg2

    async def meant(connect):
        return await connect(os.environ["TEST_DATABASE_URL"])

    async def astray(connect):
        return await connect(os.environ["PRODUCTION_DATABASE_URL"])

    async def other(connect):
        return await connect(os.environ["PRODUCTION_DATABASE_URL"])

    async def by_psycopg(url):
        return psycopg.connect(url)

    async def by_psycopg2(url):
        return psycopg2.connect(url)

    WAYS = {
        "asyncpg": asyncpg.connect, "psycopg": by_psycopg, "psycopg_async": psycopg.AsyncConnection.connect,
        "psycopg2": by_psycopg2,
    }

    async def main():
        for opened in (astray, meant, astray, other):
            await opened(WAYS[sys.argv[1]])

    asyncio.run(main())
    """


@pytest.mark.parametrize("way", ["asyncpg", "psycopg", "psycopg_async", "psycopg2"])
def test_one_functions_connections_lead_where_the_tests_lead(pair: Pair, tmp_path: Path, way: str) -> None:
    """Once the tests' line has connected, the function's connections go there, too, and nobody else's do."""
    file, interventions = str(tmp_path / "project" / "it.py"), tmp_path / "interventions.json"
    interventions.write_text(json.dumps([RedirectConnection(file, "astray", file, 5).as_json()]))
    environ = {
        "TEST_DATABASE_URL": pair.test.url(), "PRODUCTION_DATABASE_URL": pair.production.url(),
        INTERVENTIONS_VARIABLE: str(interventions),
    }  # fmt: skip
    seen = run(tmp_path, {"it.py": PROGRAM}, "it.py", way, environ=environ)
    production, test = (side.identity.system_identifier for side in (pair.production, pair.test))
    answered = [event["observed"]["system_identifier"] for event in seen.of("connection")]
    assert answered == [production, test, test, production]
    assert seen.one("change")["op"] == "redirect-connection"
