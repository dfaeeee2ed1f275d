import sqlite3

import pytest
from fastapi.testclient import TestClient

from garden import plants
from garden.main import app


@pytest.fixture
def client(monkeypatch):
    with sqlite3.connect("garden_test.db") as database:
        database.execute("create table if not exists plants (name text)")
        database.execute("delete from plants")
    monkeypatch.setattr(plants, "TEST_DATABASE_URL", "sqlite:///garden_test.db")  # <- culprit
    return TestClient(app)
