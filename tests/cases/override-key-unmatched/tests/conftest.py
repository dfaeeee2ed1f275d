import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.db import Database
from app.main import app

database = Database("sqlite:///sites-test.db")


@pytest.fixture(autouse=True)
def test_database():
    with database.engine.begin() as connection:
        connection.execute(text("create table if not exists sites (id integer primary key, name varchar)"))
    app.dependency_overrides[Database("sqlite:///sites.db").session] = database.session  # <- culprit
    yield
    app.dependency_overrides.clear()


@pytest.fixture
def client():
    return TestClient(app)
