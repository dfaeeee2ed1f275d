import sqlite3

import pytest
from fastapi.testclient import TestClient

from parking import garage
from parking.main import app


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(garage, "LIMIT", 2)
    cars = sqlite3.connect("garage-test.db", check_same_thread=False)
    cars.execute("drop table if exists cars")
    cars.execute("create table cars (plate text)")
    app.dependency_overrides[garage.get_garage] = lambda: cars
    yield TestClient(app)
    app.dependency_overrides.clear()
    cars.close()
