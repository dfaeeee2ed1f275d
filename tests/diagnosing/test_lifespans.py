"""What is tried where a lifespan opens the wrong database."""

from __future__ import annotations

from pathlib import Path

from kit.diagnosing.judge import case_of_answer
from kit.diagnosing.plan import plan
from tests.projects import traced, write


def test_no_line_of_a_lifespan_is_proposed_for_deletion(tmp_path: Path) -> None:
    """The lifespan is the candidate, once: the statement in it that connects is no second one, to be left out."""
    project = write(
        tmp_path,
        {
            "shop.py": """
                import os
                from contextlib import asynccontextmanager
                from fastapi import FastAPI, Request
                from sqlalchemy import create_engine, text

                def connect(app):
                    app.state.engine = create_engine(os.environ.get("SHOP_URL", "sqlite:///prod.db"))
                    with app.state.engine.connect() as connection:
                        connection.execute(text("select 1"))

                @asynccontextmanager
                async def lifespan(app):
                    connect(app)
                    yield

                app = FastAPI(lifespan=lifespan)

                @app.get("/")
                def one(request: Request):
                    with request.app.state.engine.connect() as connection:
                        return connection.scalar(text("select 1"))
            """,
            "test_shop.py": """
                from fastapi.testclient import TestClient
                from sqlalchemy import create_engine
                from shop import app

                def test_one():
                    app.state.engine = create_engine("sqlite:///test.db")
                    with TestClient(app) as client:
                        assert client.get("/").json() == 1
            """,
        },
    )
    answer = traced(project, allow=["test.db"])
    def text_of(file: str) -> str | None:
        return (project / file).read_text() if (project / file).is_file() else None

    planned = plan(case_of_answer(answer), answer.findings, text_of, {}).all
    assert {"lifespan-engine"} == {candidate.kind for candidate in planned}
    assert not any(candidate.fix.startswith("---") for candidate in planned)


def test_what_the_lifespan_of_the_test_before_left_was_set_by_no_test(tmp_path: Path) -> None:
    """Each test's lifespan replaces what the last one's had put on `app.state`: no test had set anything there."""
    project = write(
        tmp_path,
        {
            "shop.py": """
                from contextlib import asynccontextmanager
                from fastapi import FastAPI, Request
                from sqlalchemy import create_engine, text

                @asynccontextmanager
                async def lifespan(app):
                    app.state.engine = create_engine("sqlite:///prod.db")
                    yield

                app = FastAPI(lifespan=lifespan)

                @app.get("/")
                def one(request: Request):
                    with request.app.state.engine.connect() as connection:
                        return connection.scalar(text("select 1"))
            """,
            "test_shop.py": """
                import pytest
                from fastapi.testclient import TestClient
                from shop import app

                @pytest.fixture
                def client():
                    with TestClient(app) as client:
                        yield client

                def test_schema(client):
                    assert client.get("/openapi.json").is_success

                def test_one(client):
                    assert client.get("/").json() == 1
            """,
        },
    )
    found = [one for one in traced(project, allow=["test.db"]).findings if one.kind == "lifespan-engine"]
    assert found
    assert not any("had set" in one.message for one in found)
