"""Whole diagnoses of projects whose tests make an engine of their own, to no use."""

from __future__ import annotations

from pathlib import Path

from kit.answer.diagnosis import Status
from tests.projects import diagnosed, traced, write

APPLICATION = """
    import os
    from fastapi import Depends, FastAPI
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import sessionmaker

    engine = create_engine(os.environ.get("SHOP_URL", "sqlite:///prod.db"))
    SessionLocal = sessionmaker(engine)
    app = FastAPI()

    def get_db():
        with SessionLocal() as session:
            yield session

    @app.get("/")
    def one(session=Depends(get_db)):
        return session.scalar(text("select 1"))
"""
TESTS = """
    import pytest
    from fastapi.testclient import TestClient
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    from shop import SessionLocal, app, get_db

    TestingSession = sessionmaker(create_engine("sqlite:///test.db"))

    def override():
        with {session}() as session:
            yield session

    @pytest.fixture
    def client():
        app.dependency_overrides[get_db] = override
        yield TestClient(app)
        app.dependency_overrides.clear()

    def test_one(client):
        assert client.get("/").json() == 1
"""


def test_an_override_that_opens_the_applications_engine_is_the_cause(tmp_path: Path) -> None:
    """The override is found and used, and goes to production itself, while the tests' engine stays idle."""
    project = write(tmp_path, {"shop.py": APPLICATION, "test_shop.py": TESTS.format(session="SessionLocal")})
    _, diagnosis = diagnosed(project, allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    cause = next(cause for cause in diagnosis.causes if cause.kind == "engine-not-used")
    assert {cause.kind for cause in diagnosis.causes} == {"engine-not-used", "variable-missing"}
    assert (cause.file, cause.line) == ("test_shop.py", 12)
    assert "the override test_shop.override (test_shop.py:12 override) itself opens" in cause.what
    assert "test_shop.py:9" in cause.fix


def test_an_engine_that_is_used_is_not_told(tmp_path: Path) -> None:
    """The same override, with the tests' own sessions."""
    project = write(tmp_path, {"shop.py": APPLICATION, "test_shop.py": TESTS.format(session="TestingSession")})
    assert traced(project, allow=["test.db"]).findings == ()
