"""Whole diagnoses of projects whose tests make an engine of their own, to no use."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def test_an_engine_that_is_taken_back_before_the_request_is_the_cause_without_a_session(tmp_path: Path) -> None:
    """The application asks its engine itself, which the tests had replaced for a moment only: no session is opened."""
    files = {
        "shop.py": """
            from fastapi import FastAPI
            from sqlalchemy import create_engine, text

            engine = create_engine("sqlite:///prod.db")
            app = FastAPI()

            @app.get("/")
            def one():
                with engine.connect() as connection:
                    return connection.scalar(text("select 1"))
        """,
        "test_shop.py": """
            from unittest.mock import patch
            import pytest
            from fastapi.testclient import TestClient
            from sqlalchemy import create_engine
            from shop import app

            @pytest.fixture
            def client():
                with patch("shop.engine", create_engine("sqlite:///test.db")):
                    client = TestClient(app)
                return client

            def test_one(client):
                assert client.get("/").json() == 1
        """,
    }
    _, diagnosis = diagnosed(write(tmp_path, files), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    assert (cause.kind, cause.file, cause.line) == ("engine-not-used", "test_shop.py", 10)


def test_an_engine_that_is_used_is_not_told(tmp_path: Path) -> None:
    """The same override, with the tests' own sessions."""
    project = write(tmp_path, {"shop.py": APPLICATION, "test_shop.py": TESTS.format(session="TestingSession")})
    assert traced(project, allow=["test.db"]).findings == ()


# The tests replace the engine in its module, after a job has taken a copy of it.
JOBS = {
    "shop/__init__.py": "",
    "shop/database.py": """
        from sqlalchemy import create_engine
        engine = create_engine("sqlite:///prod.db")
    """,
    "shop/jobs.py": """
        import multiprocessing
        from sqlalchemy import text
        from shop.database import engine

        def count():
            with engine.connect() as connection:
                return connection.execute(text("select 1")).scalar()

        def run():
            with multiprocessing.get_context("fork").Pool(1) as pool:
                return pool.apply(count)
    """,
    "tests/conftest.py": """
        import pytest
        from sqlalchemy import create_engine
        import shop.database

        @pytest.fixture(autouse=True)
        def database(monkeypatch):
            monkeypatch.setattr(shop.database, "engine", create_engine("sqlite:///test.db"))
    """,
    "tests/test_jobs.py": """
        from shop.jobs import {function}

        def test_count():
            assert {function}() == 1
    """,
}


@pytest.mark.parametrize("function", ["count", "run"])
def test_a_copy_is_the_cause_also_in_a_fork(tmp_path: Path, function: str) -> None:
    """What was replaced before a fork counts in it; that the tests make an engine of their own is not denied."""
    files = {name: text.replace("{function}", function) for name, text in JOBS.items()}
    _, diagnosis = diagnosed(write(tmp_path, files), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    assert [(cause.kind, cause.file, cause.line) for cause in diagnosis.causes] == [
        ("from-import-early-binding", "shop/jobs.py", 8)
    ]
