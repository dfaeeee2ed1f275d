import sqlite3
from contextlib import closing

import pytest
from fastapi.testclient import TestClient

from weather import settings
from weather.main import create_app


@pytest.fixture
def client():
    return TestClient(create_app())


@pytest.fixture
def database(monkeypatch):
    with closing(sqlite3.connect("weather-test.db")) as connection:
        connection.execute("create table if not exists rain (day text, millimetres integer)")
    monkeypatch.setattr(settings, "DATABASE_URL", "sqlite:///weather-test.db")


def test_rain_is_kept(client, database):
    assert client.put("/rain/monday/12").status_code == 204
