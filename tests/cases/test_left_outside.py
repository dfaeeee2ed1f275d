"""Small projects in which a test leaves something outside of the process for the next one, and their clean twins.

Each is one application, its tests, and the change that makes it clean. `# <- line` marks what must be named.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kit.answer.diagnosis import Diagnosis, Status
from kit.diagnosing import diagnose
from kit.pair import Pair
from kit.pair.slots import open_slots
from kit.probes.stable import stable
from tests.projects import LIGHT

ENGINE = """
import os
from sqlalchemy import create_engine, text
engine = create_engine(os.environ["URL"])
def run(sql):
    with engine.begin() as connection:
        connection.execute(text(sql))
def ask(sql):
    with engine.connect() as connection:
        return connection.scalar(text(sql))
"""
IN_A_LOOP = """
import asyncio, os
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
engine, loop = create_async_engine(os.environ["URL"]), asyncio.new_event_loop()
async def in_loop(sql):
    async with engine.begin() as connection:
        found = await connection.execute(text(sql))
        return found.scalar() if found.returns_rows else None
def run(sql):
    return loop.run_until_complete(in_loop(sql))
ask = run
"""
TABLES = """
import pytest
from app import ask, run
@pytest.fixture(autouse=True, scope="session")
def tables():
    run("create table if not exists items (id integer primary key, name text)")
{}"""
EMPTIED = """
@pytest.fixture(autouse=True)
def emptied():
    yield
    run("delete from items")
"""
SERIAL = """
import pytest
from app import ask, run
@pytest.fixture(autouse=True, scope="session")
def tables():
    run("create table if not exists items (id serial primary key, name text)")
@pytest.fixture(autouse=True)
def emptied(tables):
    yield
    run("{}")
"""


@dataclass(frozen=True)
class Left:
    """A project: its files, with what `clean` puts in place of `{{}}`, the place that is left, and the URL's kind."""

    files: dict[str, str]
    broken: str
    clean: str
    place: str
    url: str = "sqlite:///test.db"
    says: tuple[str, ...] = ()
    kind: str = "state-left-by-test"


def rows(url: str, place: str) -> Left:
    add = 'def test_add():\n    run("insert into items values (1, 2)")  # <- line\n'
    none = 'def test_none(): assert ask("select count(*) from items") == 0\n'
    return Left(
        {"app.py": ENGINE, "conftest.py": TABLES, "test_it.py": f"from app import ask, run\n{add}{none}"},
        "", EMPTIED, place, url, ("1 row (0 rows before)", "app.py:6: the write is committed here"),
    )  # fmt: skip


def defined(url: str, statement: str, place: str, says: str, reads: str = "select count(name) from items") -> Left:
    """A test that defines a table otherwise, or drops it; a remedy is to make all again before each test."""
    return Left(
        {
            "app.py": ENGINE, "conftest.py": """
import pytest
from app import ask, run
@pytest.fixture(autouse=True, scope="{}")
def tables():
    run("drop table if exists items")
    run("create table items (id integer primary key, name text)")
    run("create index items_name on items (name)")
    run("insert into items values (1, 'a')")
""",
            "test_it.py": f"""
from app import ask, run
def test_other():
    run({statement!r})  # <- line
def test_items(): assert ask({reads!r}) == 1
""",
        },
        "session", "function", place, url, (says,),
    )  # fmt: skip


def kept(url: str, broken: str, clean: str, place: str, says: str, victim: str) -> Left:
    """A test that sets something of a connection, which the pool hands to the next test."""
    return Left(
        {
            "app.py": ENGINE,
            "conftest.py": TABLES.replace("{}", "") + """
@pytest.fixture(autouse=True)
def reset():
    yield
    run("{}")
""",
            "test_it.py": f"""
from app import ask, engine, run
def test_other():
    with engine.connect() as connection:
        connection.exec_driver_sql({broken!r})  # <- line
        connection.commit()
def test_next(): {victim}
""",
        },
        "select 1", clean,
        f"{place} of a kept connection to " + ("{database}" if url.startswith("{") else "test.db"), url, (says,),
    )  # fmt: skip


def kept_in_loop(broken: str, clean: str, place: str, says: str, victim: str) -> Left:
    """The same by asyncpg, whose connections can only be asked within the program's event loop."""
    other = kept("{asyncpg}", broken, clean, place, says, victim)
    test = f"""
from app import ask, run
def test_other():
    run({broken!r})  # <- line
def test_next(): {victim}
"""
    return replace(other, files={**other.files, "app.py": IN_A_LOOP, "test_it.py": test})


CASES = {
    "search-path-of-a-pool": kept(
        "{server}", "set search_path = other", "reset search_path", "setting search_path",
        'at other ("$user", public before)', 'assert ask("select count(*) from items") == 0',
    ),
    "search-path-of-pg8000": kept(
        "{pg8000}", "set search_path = other", "reset search_path", "setting search_path",
        'at other ("$user", public before)', 'assert ask("select count(*) from items") == 0',
    ),
    "search-path-of-asyncpg": kept_in_loop(
        "set search_path = other", "reset search_path", "setting search_path", 'at other ("$user", public before)',
        'assert ask("select count(*) from items") == 0',
    ),
    "temporary-table-of-asyncpg": kept_in_loop(
        "create temporary table items (id int)", "drop table if exists pg_temp.items", "temporary table items", "",
        'assert ask("select count(name) from items") == 0',
    ),
    "read-only-connection-of-a-pool": kept(
        "{server}", "set default_transaction_read_only = on", "reset all", "setting default_transaction_read_only",
        "at on (off before)", 'run("insert into items values (1, 2)")',
    ),
    "pragma-of-a-pool": kept(
        "sqlite:///test.db", "pragma query_only = on", "pragma query_only = off", "setting query_only",
        "at 1 (0 before)", 'run("insert into items values (1, 2)")',
    ),
    "table-dropped-on-a-server": defined(
        "{server}", "drop table items", "table items of {database}", "leaves no table items of "
    ),
    "table-dropped-in-memory": defined(
        "sqlite://", "drop table items", "table items of the database in memory", "leaves no table items of "
    ),
    "table-altered-on-a-server": defined(
        "{server}", "alter table items rename name to title", "table items of {database}",
        "altered: with title text, without name text",
    ),
    "table-altered-in-a-file": defined(
        "sqlite:///test.db", "alter table items add age int", "table items of test.db", "altered: with age INT",
        "select count(*) = 2 from pragma_table_info('items')",
    ),
    "index-made-on-a-server": defined(
        "{server}", "create unique index items_one on items ((1))", "index items_one of {database}",
        "which was not there before",
        "with more as (insert into items values (2, 'b') returning 1) select count(*) from more",
    ),
    "index-dropped-in-a-file": defined(
        "sqlite:///test.db", "drop index items_name", "index items_name of test.db", "leaves no index items_name of ",
        "select count(*) from items indexed by items_name where name = 'a'",
    ),
    "version-of-a-file": Left(
        {
            "app.py": ENGINE, "conftest.py": """
import pytest
from app import ask, run
@pytest.fixture(autouse=True)
def version():
    yield
    run("{}")
""",
            "test_it.py": """
from app import ask, run
def test_upgrade():
    run("pragma user_version = 7")  # <- line
def test_first(): assert ask("pragma user_version") == 0
""",
        },
        "select 1", "pragma user_version = 0", "setting user_version of test.db",
    ),
    "rows-on-a-server": rows("{server}", "table items of {database}"),
    "rows-in-a-file": rows("sqlite:///test.db", "table items of test.db"),
    "rows-in-memory": rows("sqlite://", "table items of the database in memory"),
    "sequence": Left(
        {
            "app.py": ENGINE, "conftest.py": SERIAL,
            "test_it.py": """
from app import ask, run
def test_add():
    run("insert into items (name) values ('a')")  # <- line
def test_first():
    run("insert into items (name) values ('b')")
    assert ask("select id from items") == 1
""",
        },
        "delete from items", "truncate items restart identity", "sequence items_id_seq of {database}", "{server}",
    ),
    "search-path": Left(
        {
            "app.py": ENGINE, "conftest.py": """
import pytest
from app import ask, engine, run
@pytest.fixture(autouse=True)
def path():
    run("create schema if not exists other; create table if not exists public.items (id int)")
    engine.dispose()
    yield
    name = ask("select current_database()")
    run(f"alter database {name} {}")
    engine.dispose()
""",
            "test_it.py": """
from app import ask, engine, run
def test_other():
    run(f"alter database {ask('select current_database()')} set search_path = other")
def test_items(): assert ask("select count(*) from items") == 0
""",
        },
        "set lock_timeout = 0", "reset search_path", "setting search_path of database {database} of {database}",
        "{server}",
    ),
    "file": Left(
        {
            "app.py": """
from pathlib import Path
LAST = Path(__file__).parent / "last.txt"
def save(text):
    LAST.write_text(text)  # <- line
def last():
    return LAST.read_text() if LAST.exists() else None
""",
            "conftest.py": """
import pytest, app
@pytest.fixture(autouse=True)
def removed():
    yield
    {}
""",
            "test_it.py": """
import app
def test_save():
    app.save("x")
    assert app.last() == "x"
def test_none(): assert app.last() is None
""",
        },
        "pass", "app.LAST.unlink(missing_ok=True)", "file last.txt", says=("1 byte (not there before)",),
    ),
    "child-process": Left(
        {
            "app.py": """
import subprocess, sys
NAME = "\\0" + __file__
STARTED = []
def serve():
    STARTED.append(subprocess.Popen([sys.executable, "server.py"], stdin=-1, stdout=-1))  # <- line
    STARTED[-1].stdout.readline()
def end():
    for child in STARTED:
        child.communicate()
    STARTED.clear()
""",
            "server.py": """
import socket, sys
import app
listening = socket.socket(socket.AF_UNIX)
listening.bind(app.NAME)
print("up", flush=True)
sys.stdin.read()
""",
            "conftest.py": """
import pytest, app
@pytest.fixture(autouse=True)
def ended():
    yield
    {}
""",
            "test_it.py": """
import socket
import app
def test_serve():
    app.serve()
def test_name_is_free():
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(app.NAME)
""",
        },
        "pass", "app.end()", f"the child process `{f'{stable(sys.executable)} server.py'[:80]}`",
        says=("running, started at",),
    ),
    "a-row-that-is-needed": Left(
        {
            "app.py": ENGINE, "conftest.py": TABLES,
            "test_it.py": """
from app import ask, run
def test_a_create():
    run("insert into items (name) values ('a')")  # <- line
def test_b_read(): assert ask("select name from items") == "a"
""",
        },
        "", '\n@pytest.fixture(autouse=True)\ndef row(tables):\n    run("delete from items")\n'
        "    run(\"insert into items (name) values ('a')\")\n",
        "table items of test.db", kind="state-needed-from-test",
    ),
}  # fmt: skip


@pytest.fixture
def diagnosed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., tuple[Diagnosis, str]]]:
    with ExitStack() as closing:

        def ask(case: Left, change: str, *tests: str) -> tuple[Diagnosis, str]:
            words, allow, database = {}, "test.db", "test.db"
            if case.url.startswith("{"):
                pair: Pair = request.getfixturevalue("pair")
                (slot,) = closing.enter_context(open_slots(pair, 1))
                side = slot.test
                words = {"server": side.url("psycopg"), **{name: side.url(name) for name in ("asyncpg", "pg8000")}}
                database = side.database
                allow = f"{side.host}:{side.port}/{database}"
            for name, text in case.files.items():
                (tmp_path / name).write_text(text.replace("{}", change))
            environ = {**os.environ, "URL": case.url.format(**words), "PYTHONDONTWRITEBYTECODE": "1"}
            command = [sys.executable, "-m", "pytest", *LIGHT, "-p", "no:randomly"]
            return diagnose(command, (allow,), folder=tmp_path, environ=environ, tests=tests)[1], database

        yield ask


@pytest.mark.parametrize("name", CASES)
def test_what_is_left_is_named_and_proved(
    name: str, tmp_path: Path, diagnosed: Callable[..., tuple[Diagnosis, str]]
) -> None:
    """The piece of state is named with the line that wrote it, and with just that put back the test ends otherwise."""
    case = CASES[name]
    found, database = diagnosed(case, case.broken, *(["test_it.py::test_b_read"] if "needed" in case.kind else []))
    assert found.status is Status.PROVED, found
    (cause,) = found.causes
    assert cause.kind == case.kind
    assert cause.changed.startswith(f"with {case.place.format(database=stable(database))}"), cause.changed
    assert [word for word in case.says if word not in cause.what] == [], cause.what
    told = f"{cause.file}:{cause.line} {cause.what}"
    marked = [
        f"{path.name}:{number}" for path in tmp_path.glob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1) if line.endswith("# <- line")
    ]  # fmt: skip
    assert [line for line in marked if line not in told] == [], told


@pytest.mark.parametrize("name", CASES)
def test_the_same_with_a_remedy_has_nothing(
    name: str, diagnosed: Callable[..., tuple[Diagnosis, str]]
) -> None:
    """Rolled back, emptied or removed after the test, nothing is told."""
    case = CASES[name]
    found, _ = diagnosed(case, case.clean)
    assert found.causes == ()
    assert found.status is Status.CLEAN, found


def told_of(files: dict[str, str], url: str, diagnosed: Callable[..., tuple[Diagnosis, str]]) -> Diagnosis:
    return diagnosed(Left({"app.py": ENGINE, **files}, "", "", "", url), "")[0]


def test_what_is_left_besides_the_cause_is_no_cause(diagnosed: Callable[..., tuple[Diagnosis, str]]) -> None:
    """A test alters a table, sets a pragma on a kept connection and a global: the next fails by the global alone."""
    found = told_of(
        {
            "flags.py": "STRICT = False\n",
            "conftest.py": TABLES,
            "test_it.py": """
from app import engine, run
import flags
def test_other():
    run("alter table items add age int")
    with engine.connect() as connection:
        connection.exec_driver_sql("pragma foreign_keys = on")
    flags.STRICT = True
def test_lenient(): assert not flags.STRICT
""",
        },
        "sqlite:///test.db", diagnosed,
    )  # fmt: skip
    assert found.status is Status.PROVED, found
    assert [(cause.changed, cause.file, cause.line) for cause in found.causes] == [
        ("with flags.STRICT as it was before test_it.py::test_other", "test_it.py", 8)
    ]


def test_what_cannot_be_made_again_exactly_is_named_without_proof(
    diagnosed: Callable[..., tuple[Diagnosis, str]]
) -> None:
    """A table with grants is not made again without them: who dropped it, and where, is told, and nothing is proved."""
    found = told_of(
        {
            "conftest.py": TABLES.replace("{}", '    run("grant select on items to public")'),
            "test_it.py": """
from app import ask, run
def test_other(): run("drop table items")
def test_items(): assert ask("select count(*) from items") == 0
""",
        },
        "{server}", diagnosed,
    )  # fmt: skip
    assert found.status is Status.UNRESOLVED, found
    assert found.causes == ()
    assert "test_it.py::test_other leaves no table items of " in found.unproved[1]
    assert "dropped at app.py:7 (called at test_it.py:3). The kit cannot restore that" in found.unproved[1]


def test_what_asyncpg_keeps_besides_the_cause_is_no_cause(
    tmp_path: Path, diagnosed: Callable[..., tuple[Diagnosis, str]]
) -> None:
    """A test sets something of a kept connection of a loop and a global: the next fails by the global alone."""
    other = kept_in_loop("set lock_timeout = '7s'", "reset all", "", "", "assert not app.CHANGED")
    test = other.files["test_it.py"].replace("from app import ask, run", "import app\nfrom app import ask, run")
    files = {
        **other.files, "app.py": f"{IN_A_LOOP}CHANGED = []\n",
        "test_it.py": test.replace("  # <- line", "\n    app.CHANGED.append(ask('show lock_timeout'))"),
    }  # fmt: skip
    found, _ = diagnosed(replace(other, files=files), "select 1")
    assert found.status is Status.PROVED, found
    assert [cause.changed.partition(" as it was")[0] for cause in found.causes] == ["with app.CHANGED"]
