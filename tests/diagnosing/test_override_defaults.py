"""A default of an override's parameter is called the cause only where it decides which database is reached."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kit.detectors.overrides import override_default
from tests.projects import diagnosed, write

APP = """
    from fastapi import Depends, FastAPI
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session

    engine = create_engine("sqlite:///prod.db")
    app = FastAPI()

    def get_db():
        with Session(engine) as db:
            yield db

    @app.get("/items")
    def items(db=Depends(get_db)) -> list[str]:
        return list(db.scalars(text("select name from items")))
"""
TEST = """
    from fastapi.testclient import TestClient
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session
    from app import app, engine, get_db

    with create_engine("sqlite:///test.db").begin() as connection:
        connection.execute(text("create table if not exists items (name text)"))

    def get_test_db(url: str = "sqlite:///prod.db"):
        with Session({bind}) as db:
            yield db

    def test_items():
        app.dependency_overrides[get_db] = get_test_db
        assert TestClient(app).get("/items").json() == []
"""


@pytest.mark.parametrize(
    ("bind", "is_the_cause"),
    [("create_engine(url)", True), ("create_engine('sqlite:///prod.db')", False), ("engine", False)],
    ids=["used", "not-used", "engine-of-the-application"],
)
def test_only_a_default_that_decides_is_the_cause(tmp_path: Path, bind: str, is_the_cause: bool) -> None:
    """With another default the same code reaches another database, or the default is not the cause."""
    write(tmp_path, {"app.py": APP, "test_it.py": TEST.format(bind=bind)})
    with closing(sqlite3.connect(tmp_path / "prod.db")) as connection:
        connection.executescript("create table items (name text); insert into items values ('lamp')")
    _, found = diagnosed(tmp_path, allow=["test.db"])
    assert (override_default.NAME in [cause.kind for cause in found.causes]) is is_the_cause, found
