"""A real record, and random damage to it as by a program, a disk or a crash; reproducible by a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

from tests.probes import seen

PROJECT = {
    "shop/__init__.py": "",
    "shop/db.py": """
        import os
        from sqlalchemy import create_engine, text
        from sqlalchemy.orm import sessionmaker

        engine = create_engine(os.environ.get("DATABASE_URL", "sqlite:///prod.db"))
        factory = sessionmaker(engine)

        def get_db():
            with factory() as session:
                yield session
    """,
    "shop/app.py": """
        from fastapi import BackgroundTasks, Depends, FastAPI
        from sqlalchemy import text
        from shop import db

        app = FastAPI()

        def user(session=Depends(db.get_db)):
            return session.execute(text("select 1")).scalar()

        @app.get("/orders")
        def orders(tasks: BackgroundTasks, who=Depends(user), session=Depends(db.get_db)):
            tasks.add_task(audit)
            return session.execute(text("select count(*) from sqlite_master")).scalar()

        def audit():
            with db.factory() as session:
                session.execute(text("create table if not exists audit (x)"))
                session.execute(text("insert into audit values (1)"))

        @app.middleware("http")
        async def log(request, call_next):
            return await call_next(request)
    """,
    ".env": "DATABASE_URL=sqlite:///dotenv.db\n",
    "tests/conftest.py": """
        import os, pytest
        os.environ["TEST_DATABASE_URL"] = "sqlite:///test.db"
        open(".env").read()
    """,
    "tests/test_orders.py": """
        import os, runpy, sqlite3, subprocess, sys
        from fastapi.testclient import TestClient
        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker
        from shop import db
        from shop.app import app

        def replaced():
            with sessionmaker(create_engine(os.environ["TEST_DATABASE_URL"]))() as session:
                yield session

        def test_overridden():
            app.dependency_overrides[db.get_db] = replaced
            with TestClient(app) as client:
                assert client.get("/orders").status_code == 200
            app.dependency_overrides.clear()

        def test_reads_production():
            app.dependency_overrides[replaced] = replaced
            assert TestClient(app).get("/orders").status_code == 200
            db.engine = create_engine("sqlite:///other.db")

        def test_others(tmp_path):
            connection = sqlite3.connect("direct.db")
            connection.execute(f"attach '{tmp_path}/beside.db' as beside")
            connection.execute("create table if not exists beside.t (x)")
            child = "import sqlite3; sqlite3.connect('child.db').execute('select 1')"
            subprocess.run([sys.executable, "-c", child], env={"PATH": os.environ["PATH"]}, check=True)
            runpy.run_path("shop/db.py")
            os.chdir(tmp_path)
            try:
                sqlite3.connect("/nowhere/at/all.db")
            except sqlite3.OperationalError:
                pass
            assert 0, "on purpose"
    """,
}


def make(folder: Path) -> dict[str, bytes]:
    """Run the project with the probes; return {file name: bytes} of what they wrote."""
    found = seen.run(folder, PROJECT, *seen.PYTEST, environ={"DATABASE_URL": "sqlite:///prod.db"}, expect=1)
    return {path.name: path.read_bytes() for path in found.files.glob("*.jsonl")}


_TEST = "tests/test_orders.py::test_others"
_MORE: tuple[dict[str, object], ...] = (
    {"kind": "refusal", "database": "postgresql://db:5432/x", "entry": "[", "observed": {"database": "y"}},
    {"kind": "change", "op": "edit", "number": 0},
    {"kind": "connect_listener", "engine": "e", "function": "listen", "file": "/project/shop/db.py", "line": 3},
    {"kind": "foreign_loop", "connection": "c", "engine": "e", "opened_on": "l1", "used_on": "l2"},
    {"kind": "left_open", "connection": "c", "engine": "e", "session": "s", "begun_in": _TEST, "begun_at": "call",
     "begun_by": None, "begun_scope": None, "tables": ["audit"]},
    {"kind": "unseen", "table": "audit", "reader": "c", "writer": "c2", "reading": None, "writing": "s",
     "written_at": 0},
    {"kind": "not_seen", "what": "client", "name": "psql", "why": "", "asked": "postgresql://db:5432/x"},
    {"kind": "child", "pid": 77, "program": "python3", "python": True},
    {"kind": "environment", "op": "missing", "name": "DATABASE_URL", "value": None, "stack": 0,
     "late": True},
    {"kind": "environment", "op": "removed", "name": "DATABASE_URL", "value": None, "stack": 1},
    {"kind": "engine", "engine": "e", "url": "postgresql://db/x", "dialect": "postgresql", "driver": "asyncpg",
     "pool": "QueuePool", "files": [["/project/.env", 1, "DATABASE_URL"]], "variables": ["DATABASE_URL"],
     "held_by": ["shop.db.engine"]},
    {"kind": "connection", "connection": "c", "driver": "psycopg", "configured": "postgresql://db/x", "engine": "e",
     "stack": 2, "observed": {"system_identifier": "7", "cluster_name": "main", "database": "x"},
     "peer": ["10.0.0.1", "5432", False]},
    {"kind": "connection", "connection": "c2", "driver": "asyncpg", "configured": "postgresql://[::1/x",
     "observed": None},
    {"kind": "use", "connection": "c", "engine": "e", "session": "s", "writes": True, "stack": 3, "phase": "call",
     "test": _TEST, "request": "r", "override": "d"},
    {"kind": "outcome", "test": "tests/test_orders.py::test_gone", "when": "setup", "outcome": "failed",
     "message": "\x1b[31m"},
)  # fmt: skip


def with_more(record: dict[str, bytes]) -> dict[str, bytes]:
    """The record with kinds of events that the project does not cause, before the last line of its largest file."""
    name = max(record, key=lambda name: len(record[name]))
    *lines, last = record[name].splitlines(keepends=True)
    at_s = json.loads(last)["at_s"]
    more = [json.dumps({"at_s": at_s, **event}).encode() + b"\n" for event in _MORE]
    return {**record, name: b"".join([*lines, *more, last])}


Lines = list[bytes]
_ODD = (
    None, True, -1, 0, 10**30, 1.5, "", "\x00\x1b[31m", "\ud800", "nobody", [], [[]], {}, {"a": [None]}, ["x", 1],
    9e307,
)  # fmt: skip


def mutated(record: dict[str, bytes], chance: random.Random) -> dict[str, bytes]:
    """The record with one to six random mutations."""
    files = {name: data.splitlines(keepends=True) for name, data in record.items()}
    for _ in range(chance.randint(1, 6)):
        name = chance.choice(sorted(files))
        chance.choice(_MUTATIONS)(files[name], chance)
    return {name: b"".join(lines) for name, lines in files.items()}


def _drop(lines: Lines, chance: random.Random) -> None:
    begin = chance.randrange(len(lines) + 1)
    del lines[begin : begin + chance.choice((1, 1, 3, 40))]


def _double(lines: Lines, chance: random.Random) -> None:
    if lines:
        lines.insert(chance.randrange(len(lines)), chance.choice(lines))


def _shuffle(lines: Lines, chance: random.Random) -> None:
    chance.shuffle(lines)


def _cut(lines: Lines, chance: random.Random) -> None:
    if lines:
        place = chance.randrange(len(lines))
        lines[place] = lines[place][: chance.randrange(len(lines[place]))]


def _foreign(lines: Lines, chance: random.Random) -> None:
    text = (b"42\n", b"\x00" * 300, b"SQLite format 3\x00\xff\xfe\n", b"[" * 100_000 + b"\n", b"\n\n", b'{"kind":[]}\n',
            b'{"kind":"new_in_the_next_version","at_s":1.0,"stack":0}\n', b'"kind"\n', b"null\n",
            b'{"kind":"process","format":2,"at_s":0.0,"pid":1}\n', b'{"kind":"end"}\n',
            b'{"kind":"child","at_s":0.1,"pid":7,"program":"psql","python":false}\n',
            b'{"kind":"not_seen","at_s":0.1,"what":"driver","name":"pymysql","why":"it has no probe"}\n')  # fmt: skip
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(text))


def _times(lines: Lines, chance: random.Random) -> None:
    at_s = chance.choice((0.0, -1e9, 1e300, "later", None, float("nan")))
    for place in range(chance.randrange(len(lines) + 1), len(lines)):
        _change(lines, place, lambda event: event.update(at_s=at_s) if "at_s" in event else None)


def _field(lines: Lines, chance: random.Random) -> None:
    """Change, remove or add a field of an event, or a value within a field."""

    def change(event: dict[str, object]) -> None:
        key = chance.choice(sorted(event))
        value = event[key]
        if isinstance(value, list) and value and chance.random() < 0.5:
            value[chance.randrange(len(value))] = chance.choice(_ODD)
        elif isinstance(value, dict) and value and chance.random() < 0.5:
            value[chance.choice(sorted(value))] = chance.choice(_ODD)
        elif chance.random() < 0.25:
            del event[key]
        else:
            event[key] = chance.choice(_ODD)
        if chance.random() < 0.1:
            event["added"] = 1

    for _ in range(chance.choice((1, 5, 30))):
        if lines:
            _change(lines, chance.randrange(len(lines)), change)


def _change(lines: Lines, place: int, change: Callable[[dict[str, object]], None]) -> None:
    try:
        event = json.loads(lines[place])
    except (ValueError, RecursionError):
        return  # a mutation has already replaced the event
    if isinstance(event, dict) and event:
        change(event)
        lines[place] = json.dumps(event).encode() + b"\n"


def _swapped(lines: Lines, chance: random.Random) -> None:
    """Give an event another event's value of the same field: of the right type, but leading elsewhere."""
    try:
        one, other = (json.loads(chance.choice(lines)) for _ in range(2))
        both = sorted(one.keys() & other.keys() - {"kind"})
    except (ValueError, RecursionError, IndexError, AttributeError):
        return  # not both lines are events
    if both:
        key = chance.choice(both)
        lines.insert(chance.randrange(len(lines) + 1), json.dumps({**one, key: other[key]}).encode() + b"\n")


_MUTATIONS = (_drop, _double, _shuffle, _cut, _foreign, _times, _field, _field, _field, _swapped, _swapped)
