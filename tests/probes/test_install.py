"""All probes at once in real libraries: put in and taken out exactly, before an import and after it alike."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from kit import probes
from tests.probes.seen import run

SNAPSHOT = """\
import importlib, json, os, sys, threading, types

OWNERS = [
    "fastapi:FastAPI", "fastapi.routing", "fastapi.dependencies.utils", "starlette.applications:Starlette",
    "starlette.background:BackgroundTask", "sqlalchemy.engine:Engine", "sqlalchemy.orm:Session", "sqlite3",
    "sqlite3.dbapi2", "aiosqlite", "aiosqlite.core", "aiosqlite.core:Connection", "asyncpg.connect_utils",
    "asyncpg.pool:Pool", "asyncpg.connection:Connection", "psycopg", "psycopg:Connection", "psycopg:AsyncConnection",
    "psycopg:Cursor", "psycopg:AsyncCursor", "psycopg:ServerCursor", "_pytest.config", "threading:Thread",
    "os:_Environ",
]

def owner(name):
    module, _, attribute = name.partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found

def snapshot():
    found = {name: {key: id(value) for key, value in vars(owner(name)).items()} for name in OWNERS}
    found["path"] = [id(finder) for finder in sys.meta_path] + list(sys.path)
    found["modules"] = sorted(sys.modules)
    return found

def difference(one, other):
    return sorted(
        f"{name}.{key}" for name in OWNERS for key in one[name].keys() | other[name].keys()
        if one[name].get(key) != other[name].get(key)
    )
"""

EXACTLY = (
    SNAPSHOT
    + """
for name in OWNERS:
    owner(name)
import kit.probes.installed
os.makedirs("seen_here")
before = snapshot()
kit.probes.install("seen_here", 0.0)
try:
    kit.probes.install("seen_here", 0.0)
except RuntimeError as error:
    again = str(error)
during = snapshot()
kit.probes.remove()
after = snapshot()
print(json.dumps({
    "again": again, "changed": difference(before, during), "left": difference(before, after),
    "path": before["path"] == after["path"], "new": sorted(set(after["modules"]) - set(before["modules"])),
}))
"""
)


def test_probes_are_taken_out_exactly(tmp_path: Path) -> None:
    """After removal every class and module that was changed holds what it held before; a second install is refused."""
    import json

    ran = run(tmp_path, {"it.py": EXACTLY}, "it.py", environ={"PYTHONPATH": str(ROOT)}, probes=False)
    found = json.loads(ran.output)
    assert found["again"] == "the probes are in already"
    assert len(found["changed"]) > 30
    # A flag of SQLAlchemy's: somebody listens to this class, or has once.
    assert found["left"] in ([], ["sqlalchemy.engine:Engine._has_events"])
    assert found["path"]
    assert set(found["new"]) <= {"gc"}


ROOT = Path(probes.__file__).parent.parent.parent

USE = """
def use():
    import asyncio
    from fastapi import Depends, FastAPI
    from fastapi.testclient import TestClient
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session

    engine = create_engine("sqlite:///one.db")
    app = FastAPI()

    def get_db():
        with Session(engine) as session:
            yield session

    @app.get("/")
    def read(db: Session = Depends(get_db)):
        return db.scalar(text("select 1"))

    app.dependency_overrides[get_db] = get_db
    assert TestClient(app).get("/").json() == 1

    import aiosqlite
    async def other():
        async with aiosqlite.connect("two.db") as connection:
            await connection.execute("select 1")
    asyncio.run(other())
"""
BEFORE = USE + "\nimport kit.probes\nkit.probes.install('../seen', 0.0)\nuse()\n"
AFTER = (
    USE + "\nimport fastapi, fastapi.testclient, sqlalchemy.orm, aiosqlite, sqlite3, kit.probes\n"
    "kit.probes.install('../seen', 0.0)\nuse()\n"
)


def test_before_and_after_import_end_the_same(tmp_path: Path) -> None:
    """The same is seen whether the probes come before the libraries or after them."""
    kinds = []
    for number, program in enumerate((BEFORE, AFTER)):
        seen = run(tmp_path / str(number), {"it.py": program}, "it.py", environ={"PYTHONPATH": str(ROOT)}, probes=False)
        assert seen.one("end")["failures"] == {}
        kinds.append(Counter(event["kind"] for event in seen.events))
    assert kinds[0] == kinds[1]
    assert {"app", "engine", "connection", "request", "dependencies", "override", "use", "session"} <= set(kinds[0])


def test_a_probe_can_be_left_out(tmp_path: Path) -> None:
    """What a probe would have told is missing without it, and the record says which ones are in."""
    seen = run(tmp_path, {"it.py": USE + "\nuse()\n"}, "it.py", without=("app", "connection"))
    assert "app" not in seen.one("probes")["installed"]
    assert seen.of("request") == []
    assert {event["why_not"] for event in seen.of("connection")} == {"no probe saw this driver connect"}


def test_after_removal_nothing_more_is_told(tmp_path: Path) -> None:
    """Taken out in mid-run, the probes leave a program that runs on and tells nothing."""
    program = USE + "\nimport kit.probes\nkit.probes.install('../seen', 0.0)\nuse()\nkit.probes.remove()\nuse()\n"
    seen = run(tmp_path, {"it.py": program}, "it.py", environ={"PYTHONPATH": str(ROOT)}, probes=False)
    assert len(seen.of("request")) == 1
    assert [event["kind"] for event in seen.events][-1] == "end"


@pytest.mark.parametrize("path", sorted((ROOT / "kit" / "probes").glob("*.py")), ids=lambda path: path.name)
def test_probes_are_python_3_9(path: Path) -> None:
    """Every file of the probes can be read by Python 3.9, and imports nothing but the standard library and its own."""
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    imported = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        name.partition(".")[0]
        for node in imported if not getattr(node, "level", 0)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)])
    }  # fmt: skip
    import sys

    assert names <= set(sys.stdlib_module_names)
