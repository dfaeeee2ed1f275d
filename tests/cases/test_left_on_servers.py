"""Roles and databases that one test makes on a live server and another test meets, and their clean twins."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from kit.answer.diagnosis import Diagnosis, Status
from kit.diagnosing import diagnose
from kit.pair import Pair
from kit.pair.slots import open_slots
from kit.probes.stable import stable
from tests.projects import LIGHT, write

APPS = {
    "psycopg": """
        import os, psycopg
        def run(sql):
            with psycopg.connect(os.environ["URL"], autocommit=True) as connection:
                found = connection.execute(sql)
                return found.fetchall() if found.description else None
    """,
    "asyncpg": """
        import asyncio, asyncpg, os
        async def in_loop(sql):
            connection = await asyncpg.connect(os.environ["URL"])
            try:
                return await connection.fetch(sql)
            finally:
                await connection.close()
        def run(sql):
            return asyncio.run(in_loop(sql))
    """,
}
CATALOGUES = {"role": ("pg_roles", "rolname"), "database": ("pg_database", "datname")}
MADE_TWICE = """
    from app import run
    def test_other(): run('create KIND "NAME"')
    def test_makes_its_own():
        run('create KIND "NAME"')
        run('drop KIND "NAME"')
"""
MADE_ONCE = """
    from app import run
    def test_a_makes(): run('create KIND "NAME"')
    def test_b_needs(): assert run("select 1 from CATALOGUE where COLUMN = 'NAME'")
"""
DROPPED = """
    import pytest
    from app import run
    @pytest.fixture(autouse=True)
    def dropped():
        yield
        run('drop KIND if exists "NAME"')
"""


@dataclass(frozen=True)
class Server:
    """A live server with a database of its own for this test, and a name for what tests make there."""

    url: str
    entry: str
    name: str
    folder: Path

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        """Run SQL as the superuser."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(sql)
            return found.fetchall() if found.description else []

    def has(self, kind: str) -> bool:
        """Whether the role or database is there."""
        table, column = CATALOGUES[kind]
        return bool(self.ask(f"select 1 from {table} where {column} = '{self.name}'"))

    def diagnose(
        self, driver: str, kind: str, test: str, conftest: str = "", entry: str = "", tests: tuple[str, ...] = ()
    ) -> Diagnosis:
        """Diagnose a project with this test."""
        table, column = CATALOGUES[kind]
        words = {"KIND": kind, "NAME": self.name, "CATALOGUE": table, "COLUMN": column}
        files = {"app.py": APPS[driver], "test_it.py": test, "conftest.py": conftest}
        for word, value in words.items():
            files = {name: text.replace(word, value) for name, text in files.items()}
        write(self.folder, files)
        environ = {**os.environ, "URL": self.url, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", *LIGHT, "-p", "no:randomly"]
        allow = (entry or self.entry,)
        return diagnose(command, allow, folder=self.folder, environ=environ, tests=tests)[1]


@pytest.fixture
def server(pair: Pair, tmp_path: Path) -> Iterator[Server]:
    with ExitStack() as closing:
        (slot,) = closing.enter_context(open_slots(pair, 1))
        side, admin = slot.test, pair.test.admin
        assert admin is not None
        url = f"{admin.rpartition('/')[0]}/{side.database}"
        own = Server(url, f"{side.host}:{side.port}/{side.database}*", f"{side.database}_Other", tmp_path)
        yield own
        for kind in CATALOGUES:
            own.ask(f'drop {kind} if exists "{own.name}"')


kinds = pytest.mark.parametrize("kind", CATALOGUES)


@pytest.mark.parametrize("driver", APPS)
@kinds
def test_what_a_test_makes_on_a_server_is_proved(server: Server, kind: str, driver: str) -> None:
    """With just that dropped after the test that makes it, the other can make its own; at the end it is not there."""
    found = server.diagnose(driver, kind, MADE_TWICE)
    assert found.status is Status.PROVED, found
    (cause,) = found.causes
    assert cause.kind == "state-left-by-test"
    assert cause.changed == f"with {kind} {stable(server.name)} as it was before test_it.py::test_other"
    assert "which was not there before, made at" in cause.what
    assert "let a fixture drop it after its yield" in cause.fix
    assert not server.has(kind)


@kinds
def test_what_is_dropped_after_its_test_is_no_cause(server: Server, kind: str) -> None:
    """The clean twin: a fixture drops it."""
    found = server.diagnose("psycopg", kind, MADE_TWICE, DROPPED)
    assert (found.status, found.causes) == (Status.CLEAN, ())


@kinds
def test_what_another_test_needs_is_proved(server: Server, kind: str) -> None:
    """The test passes only because another one has made it: with that dropped, it fails as it does alone."""
    found = server.diagnose("psycopg", kind, MADE_ONCE, tests=("test_it.py::test_b_needs",))
    assert found.status is Status.PROVED, found
    assert [cause.kind for cause in found.causes] == ["state-needed-from-test"]
    assert not server.has(kind)


@kinds
def test_what_was_there_before_is_never_dropped(server: Server, kind: str) -> None:
    """Tests that try to make what is there already have not made it, whatever they make of the error."""
    server.ask(f'create {kind} "{server.name}"')
    (number,) = server.ask("select oid from {} where {} = '{}'".format(*CATALOGUES[kind], server.name))
    test = MADE_TWICE.replace("def test_other(): run('", "def test_other():\n        try: run('").replace(
        "\n    def test_makes", "\n        except Exception as error: print(error)\n    def test_makes", 1
    )
    found = server.diagnose("psycopg", kind, test)
    assert found.status is Status.UNRESOLVED, found
    assert server.ask("select oid from {} where {} = '{}'".format(*CATALOGUES[kind], server.name)) == [number]


def test_a_database_that_the_list_does_not_name_is_not_dropped(server: Server) -> None:
    """The entry names the tests' own database alone: the other one is named without proof, and stays."""
    found = server.diagnose("psycopg", "database", MADE_TWICE, entry=server.entry.removesuffix("*"))
    assert found.status is Status.UNRESOLVED, found
    assert found.causes == ()
    assert server.has("database")
