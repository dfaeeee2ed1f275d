import sqlite3
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ledger.config import CONFIG
from ledger.main import app


@pytest.fixture
def client(monkeypatch):
    path = Path(__file__).parent / "ledger_test.db"
    with sqlite3.connect(path) as database:
        database.execute("create table if not exists entries (text text)")
    monkeypatch.setitem(CONFIG, "database", f"sqlite:///{path}")
    return TestClient(app)
