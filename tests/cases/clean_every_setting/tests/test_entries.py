import pytest
from fastapi.testclient import TestClient
from ledger.app import create_app


@pytest.fixture
def client():
    return TestClient(create_app({"main": "sqlite:///testing.sqlite3", "audit": "sqlite:///testing.sqlite3"}))


def test_an_entry_is_kept(client):
    client.post("/entries/rent")
    assert "rent" in client.get("/entries").json()
