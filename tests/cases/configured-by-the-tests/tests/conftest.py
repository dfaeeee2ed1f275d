import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

from app import db
from app.main import app


@pytest.fixture(autouse=True)
def test_database(monkeypatch):
    engine = create_engine("sqlite:///sites-test.db", connect_args={"check_same_thread": False})
    monkeypatch.setattr(db, "engine", engine)
    with db.engine.begin() as connection:
        connection.execute(text("create table if not exists sites (id integer primary key, name varchar)"))


@pytest.fixture
def client():
    return TestClient(app)
