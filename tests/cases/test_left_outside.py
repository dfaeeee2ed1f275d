"""Small projects in which a test leaves something outside of the process for the next one, and their clean twins.

Each is one application, its tests, and the change that makes it clean. `# <- line` marks what must be named.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.answer.diagnosis import Diagnosis, Status
from kit.diagnosing import diagnose
from kit.diagnosing.outside.contents import stable
from kit.pair import Pair
from kit.pair.slots import open_slots
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


CASES = {
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
            if case.url == "{server}":
                pair: Pair = request.getfixturevalue("pair")
                (slot,) = closing.enter_context(open_slots(pair, 1))
                side = slot.test
                words, database = {"server": side.url("psycopg")}, side.database
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
    assert cause.changed.startswith(f"with {case.place.format(database=stable(database))} as it was"), cause.changed
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
