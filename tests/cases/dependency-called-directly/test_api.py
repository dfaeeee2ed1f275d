import sqlite3

import pytest
from fastapi.testclient import TestClient

from api import app, get_connection


@pytest.fixture
def notes(tmp_path):
    connection = sqlite3.connect(tmp_path / "notes.sqlite3", check_same_thread=False)
    connection.executescript(
        "create table notes (title text); create table archive (title text); insert into notes values ('milk')"
    )
    app.dependency_overrides[get_connection] = lambda: connection
    yield connection
    app.dependency_overrides.pop(get_connection)
    connection.close()


def test_a_deleted_note_is_gone(notes):
    assert TestClient(app).delete("/notes/milk").status_code == 204
    assert notes.execute("select count(*) from notes").fetchone() == (0,)
