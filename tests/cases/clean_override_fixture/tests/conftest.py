from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import StaticPool

from app.db import get_db
from app.main import app

engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
TestSession = sessionmaker(engine)


def get_test_db():
    with TestSession() as db:
        yield db


@contextmanager
def test_database():
    with engine.begin() as connection:
        connection.execute(text("create table if not exists sites (id integer primary key, name varchar)"))
    app.dependency_overrides[get_db] = get_test_db
    yield
    app.dependency_overrides.pop(get_db)


@pytest.fixture
def client():
    with test_database():
        yield TestClient(app)
