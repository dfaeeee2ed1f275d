from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.probes.seen import PYTEST, Seen, run

PROGRAM = {
    "app/__init__.py": "",
    "app/db.py": """\
        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker

        class Manager:
            def __init__(self):
                self.engine = None

        engine = create_engine("sqlite:///own.db")
        SessionLocal = sessionmaker(engine)
        manager = Manager()
        lazy = None

        def init_db(url):
            global engine, fresh
            engine = fresh = create_engine(url)
        """,
    "app/service.py": "from app.db import SessionLocal\n",
    "app/main.py": """\
        from contextlib import asynccontextmanager
        from fastapi import FastAPI
        from app import db

        @asynccontextmanager
        async def lifespan(app):
            app.state.Session = db.SessionLocal
            yield

        app = FastAPI(lifespan=lifespan)
        """,
    "test_it.py": """\
        import pytest
        from fastapi.testclient import TestClient
        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker
        from app import db, service
        from app.main import app

        def test_nothing(): ...

        @pytest.fixture
        def patched(monkeypatch):
            monkeypatch.setattr(db, "SessionLocal", sessionmaker(create_engine("sqlite:///test.db")))

        def test_patched(patched): ...

        def test_rebinds():
            db.init_db("sqlite:///rebound.db")

        def test_lazy():
            db.lazy = db.manager.engine = create_engine("sqlite:///lazy.db")

        def test_reconfigures():
            db.SessionLocal.configure(bind=db.lazy)

        def test_lifespan():
            app.state.Session = sessionmaker(db.lazy)
            with TestClient(app):
                pass
        """,
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return run(tmp_path_factory.mktemp("names"), PROGRAM, *PYTEST)


def changes(seen: Seen, test: str) -> list[tuple[Any, ...]]:
    """What changed in a test: (what was done, name, phase, file of the engine that it led to before and since)."""
    urls = {event["engine"]: event["url"].rpartition("/")[2] for event in seen.of("engine")}

    def engine(held: Any) -> str | None:
        return held and urls.get(held["engine"])

    return [
        (event["op"], f"{event['module']}.{event['name']}", event["phase"],
         engine(event["held_before"]), engine(event["holds"]))
        for event in seen.of("name", test=f"test_it.py::{test}") if event["module"].startswith("app")
    ]  # fmt: skip


def test_every_name_is_told_with_what_it_holds(seen: Seen) -> None:
    """As the first test begins, each name that leads to a database is told, with the engine that it leads to."""
    found = {name: after for op, name, _, _, after in changes(seen, "test_nothing") if op == "held"}
    assert found == {
        "app.db.engine": "own.db", "app.db.SessionLocal": "own.db", "app.service.SessionLocal": "own.db",
        "app.main.app": None,
    }  # fmt: skip


def test_copies_of_one_object_are_known_as_such(seen: Seen) -> None:
    """Names that were bound to one object by imports hold the same one."""
    holders = {
        f"{event['module']}.{event['name']}": event["holds"]["object"] for event in seen.of("name", op="held")
        if event["name"] == "SessionLocal"
    }  # fmt: skip
    assert len(holders) == 2
    assert len(set(holders.values())) == 1


def test_a_patch_is_seen_to_come_and_go(seen: Seen) -> None:
    """A name that a fixture patches is rebound in set-up and again in teardown; its copy is not."""
    assert changes(seen, "test_patched") == [
        ("rebound", "app.db.SessionLocal", "setup", "own.db", "test.db"),
        ("rebound", "app.db.SessionLocal", "teardown", "test.db", "own.db"),
    ]


def test_a_rebinding_that_stays_is_told(seen: Seen) -> None:
    """A name that was rebound and not given back is told once, and a new one with it."""
    assert changes(seen, "test_rebinds") == [
        ("rebound", "app.db.engine", "call", "own.db", "rebound.db"),
        ("held", "app.db.fresh", "call", None, "rebound.db"),
    ]


def test_a_name_that_held_nothing_is_followed(seen: Seen) -> None:
    """None that becomes an engine is told, also as an attribute of an object of the application's."""
    assert changes(seen, "test_lazy") == [
        ("held", "app.db.manager.engine", "call", None, "lazy.db"), ("held", "app.db.lazy", "call", None, "lazy.db"),
    ]  # fmt: skip


def test_another_engine_behind_the_same_object_is_told(seen: Seen) -> None:
    """A session maker that is bound to another engine is told under each of its names."""
    assert changes(seen, "test_reconfigures") == [
        ("rebound", "app.db.SessionLocal", "call", "own.db", "lazy.db"),
        ("rebound", "app.service.SessionLocal", "call", "own.db", "lazy.db"),
    ]


def test_a_lifespan_that_overwrites_is_told(seen: Seen) -> None:
    """What a test put on an application's state, and the lifespan overwrote, is told within the lifespan."""
    found = [event for event in seen.of("name") if event["name"] == "state.Session"]
    assert [event["op"] for event in found] == ["held", "rebound"]
    lifespan = seen.one("request", type="lifespan")
    assert found[1]["stage"] == "lifespan"
    assert found[1]["request"] == lifespan["number"]


def test_defaults_classes_and_dictionaries_are_looked_into(tmp_path: Path) -> None:
    """What a function, a class or a dictionary of the application's keeps of an engine is told by where it stands."""
    seen = run(
        tmp_path,
        {
            "app/__init__.py": "",
            "app/db.py": """\
                from sqlalchemy import create_engine
                engine = create_engine("sqlite:///own.db")
                """,
            "app/kept.py": """\
                from app import db

                class Repository:
                    engine = db.engine
                    def all(self, *, engine=db.engine): ...

                def read(name, limit=10, engine=db.engine): ...

                engines, sizes = {"main": db.engine}, {"main": 1}
                """,
            "test_it.py": "from app import kept\ndef test_it(): ...\n",
        },
        *PYTEST,
    )
    held = {f"{event['module']}.{event['name']}" for event in seen.of("name", op="held")}
    assert held == {
        "app.db.engine", "app.kept.Repository.engine", "app.kept.Repository.all(engine=)", "app.kept.read(engine=)",
        "app.kept.engines['main']",
    }  # fmt: skip


def test_a_module_that_is_imported_anew_is_followed(tmp_path: Path) -> None:
    """The names of a module that was replaced, with as many modules as before, are those of the new one."""
    seen = run(
        tmp_path,
        {
            "app/__init__.py": "",
            "app/db.py": """\
                import os
                from sqlalchemy import create_engine
                engine = create_engine(f"sqlite:///{os.environ.get('NAME', 'own')}.db")
                """,
            "test_it.py": """\
                import importlib, sys
                import app.db
                kept = [app.db]

                def test_nothing(): ...

                def test_again(monkeypatch):
                    monkeypatch.setenv("NAME", "again")
                    del sys.modules["app.db"]
                    kept.append(importlib.import_module("app.db"))

                def test_gone():
                    del sys.modules["app.db"]
                """,
        },
        *PYTEST,
    )
    assert changes(seen, "test_again") == [("rebound", "app.db.engine", "call", "own.db", "again.db")]
    assert changes(seen, "test_gone") == [("unbound", "app.db.engine", "call", "again.db", None)]
