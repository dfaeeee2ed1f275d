import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from app import app, get_db
from config import settings


def get_test_db():
    with Session(create_engine(settings.url)) as db:
        yield db


@pytest.fixture(autouse=True)
def database(monkeypatch):
    monkeypatch.setattr(settings, "url", "sqlite:///test.db")
    with create_engine(settings.url).begin() as connection:
        connection.execute(text("create table if not exists items (name text)"))
    monkeypatch.setitem(app.dependency_overrides, get_db, get_test_db)


@pytest.fixture
def client():
    return TestClient(app)
