import os

os.environ["DATABASE_URL"] = "sqlite:///sites-test.db"

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

from app.main import app, start


@pytest.fixture(autouse=True)
def tables():
    engine = create_engine(os.environ["DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(text("create table if not exists sites (id integer primary key, name varchar)"))
    start()
    yield
    with engine.begin() as connection:
        connection.execute(text("drop table sites"))


@pytest.fixture
def client():
    return TestClient(app)
