"""An override that another process lacks is proved where it is the cause, and not named where it is not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kit.answer.diagnosis import Diagnosis, Status
from kit.detectors.processes import override_not_in_process
from tests.projects import diagnosed, write

APP = """
    from fastapi import Depends, FastAPI
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import sessionmaker

    SessionLocal = sessionmaker(create_engine("sqlite:///shop.db"))

    def get_db():
        with SessionLocal() as db:
            yield db

    def make(depends=get_db):
        app = FastAPI()

        @app.get("/orders")
        def orders(db=Depends(depends)) -> list[str]:
            return list(db.scalars(text("select name from orders")))

        @app.get("/all")
        def past() -> list[str]:
            with SessionLocal() as db:
                return list(db.scalars(text("select name from orders")))

        return app

    app = make()
"""
OTHER = """
    from app import SessionLocal, make

    def get_db():
        with SessionLocal() as db:
            yield db

    app = make(get_db)
"""
WORK = """
    def work(pipe, module, path):
        from importlib import import_module
        from fastapi.testclient import TestClient

        app = import_module(module).app
        pipe.recv()
        pipe.send(TestClient(app).get(path).json())

    def work_on_another(pipe, module, path):
        from fastapi.testclient import TestClient
        from app import make

        pipe.recv()
        pipe.send(TestClient(make()).get(path).json())
"""
TEST = """
    import multiprocessing
    import pytest
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session
    from fastapi.testclient import TestClient
    from app import app, get_db
    from work import work, work_on_another

    engine = create_engine("sqlite:///{database}")
    with engine.begin() as connection:
        connection.execute(text("create table if not exists orders (name text)"))

    def get_test_db():
        with Session(engine) as db:
            yield db

    def start(method, target, module, path):
        context = multiprocessing.get_context(method)
        ours, theirs = context.Pipe()
        process = context.Process(target=target, args=(theirs, module, path))
        process.start()  # start
        return ours, process

    def test_here():
        app.dependency_overrides[get_db] = get_test_db
        assert TestClient(app).get("/orders").json() == []
        app.dependency_overrides.clear()

    def test_there():
        {lines}
        ours.send("go")
        found = ours.recv()
        process.join()
        assert found == []
"""
SPAWN = 'ours, process = start("spawn", work, "app", "/orders")'
SET = "app.dependency_overrides[get_db] = get_test_db  # set"


def project(folder: Path, *lines: str, database: str = "test.db") -> Path:
    """A project whose test runs these lines, and what they start in another process."""
    test = TEST.format(lines="\n        ".join(lines), database=database)
    write(folder, {"app.py": APP, "other.py": OTHER, "work.py": WORK, "test_it.py": test})
    with closing(sqlite3.connect(folder / "shop.db")) as connection:
        connection.executescript("create table orders (name text); insert into orders values ('lamp')")
    return folder


def line(folder: Path, mark: str) -> int:
    lines = (folder / "test_it.py").read_text().splitlines()
    return next(number for number, text in enumerate(lines, 1) if text.endswith(f"# {mark}"))


def kinds(found: Diagnosis) -> list[str]:
    return [cause.kind for cause in found.causes]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (['ours, process = start("fork", work, "app", "/orders")', SET], "forked before that"),
        ([SET, SPAWN], "imports the application again"),
    ],
    ids=["forked-before", "spawned"],
)
def test_the_process_and_its_override_are_named(tmp_path: Path, lines: list[str], says: str) -> None:
    """The line that starts the process, the line that sets the override, and why the process lacks it, are proved."""
    folder = project(tmp_path, *lines)
    _, found = diagnosed(folder, allow=["test.db"])
    assert found.status is Status.PROVED, found
    (cause,) = found.causes
    assert cause.kind == override_not_in_process.NAME
    assert (cause.file, cause.line) == ("test_it.py", line(folder, "start"))
    assert f"test_it.py:{line(folder, 'set')}" in cause.what
    assert says in cause.what


@pytest.mark.parametrize(
    ("lines", "database"),
    [
        # It was forked after the override was set, and serves another application.
        ([SET, 'ours, process = start("fork", work_on_another, "app", "/orders")'], "test.db"),
        # Its application depends on another function of that name.
        ([SET, 'ours, process = start("spawn", work, "other", "/orders")'], "test.db"),
        # It opens a session of its own, which no override would replace.
        ([SET, 'ours, process = start("spawn", work, "app", "/all")'], "test.db"),
        # The override leads there, too.
        ([SET, SPAWN], "shop.db"),
        # The override was removed before the process was asked.
        ([SET, SPAWN, "app.dependency_overrides.clear()"], "test.db"),
    ],
    ids=["another-application", "another-dependency", "no-dependency", "leads-there-too", "removed"],
)
def test_another_cause_is_not_called_a_missing_override(tmp_path: Path, lines: list[str], database: str) -> None:
    """Where the override would change nothing, or the process has it, no finding says that it lacks it."""
    answer, found = diagnosed(project(tmp_path, *lines, database=database), allow=["test.db"])
    assert answer.findings
    assert override_not_in_process.NAME not in kinds(found)
    assert override_not_in_process.NAME not in [finding.kind for finding in answer.findings]
