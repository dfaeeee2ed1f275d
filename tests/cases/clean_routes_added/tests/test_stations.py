import sqlite3

import pytest
from fastapi.testclient import TestClient

from bikes.main import app
from bikes.stations import get_fleet


@pytest.fixture
def client():
    fleet = sqlite3.connect("bikes-test.db", check_same_thread=False)
    fleet.execute("create table if not exists stations (name text)")
    app.dependency_overrides[get_fleet] = lambda: fleet
    yield TestClient(app)
    app.dependency_overrides.clear()
    fleet.close()


def test_a_station_is_added(client):
    client.put("/stations/harbour")
    assert "harbour" in client.get("/stations").json()
