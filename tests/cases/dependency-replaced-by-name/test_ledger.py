from unittest.mock import patch

import pytest
from fastapi.testclient import TestClient
from ledger import app
from sqlalchemy import create_engine, text

empty = create_engine("sqlite:///test.sqlite3")


def get_empty():
    with empty.connect() as connection:
        yield connection


@pytest.fixture
def client():
    with empty.begin() as connection:
        connection.execute(text("create table if not exists entries (amount integer)"))
    with patch("ledger.get_connection", get_empty):  # <- culprit
        yield TestClient(app)


def test_there_are_no_entries_yet(client):
    assert client.get("/entries").json() == 0
