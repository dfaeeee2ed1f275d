import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from chat.db import SessionLocal
from chat.main import app, current_user


@pytest.fixture(scope="session")
def client():
    with TestClient(app) as client:
        yield client


@pytest.fixture(autouse=True)
def empty(client):
    yield
    with SessionLocal.begin() as db:
        db.execute(text("delete from messages"))
        db.execute(text("delete from log"))


@pytest.fixture
def ada():
    app.dependency_overrides[current_user] = lambda: "ada"
    yield
    del app.dependency_overrides[current_user]
