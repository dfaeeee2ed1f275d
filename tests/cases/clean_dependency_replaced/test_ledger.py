import pytest
from fastapi.testclient import TestClient
from ledger import app, get_connection
from sqlalchemy import create_engine, text

empty = create_engine("sqlite:///test.sqlite3")


def get_empty():
    with empty.connect() as connection:
        yield connection


@pytest.fixture
def client():
    with empty.begin() as connection:
        connection.execute(text("create table if not exists entries (amount integer)"))
    app.dependency_overrides[get_connection] = get_empty
    yield TestClient(app)
    del app.dependency_overrides[get_connection]


def test_there_are_no_entries_yet(client):
    assert client.get("/entries").json() == 0
