import sqlite3
from contextlib import closing

import pytest
from fastapi.testclient import TestClient

from app.main import app


@pytest.fixture(autouse=True)
def tables():
    with closing(sqlite3.connect("sites-test.db")) as connection:
        connection.execute("create table if not exists sites (id integer primary key, name varchar)")
        yield
        connection.execute("drop table sites")


@pytest.fixture
def client():
    return TestClient(app)
