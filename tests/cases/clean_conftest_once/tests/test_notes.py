from notes.db import Note
from conftest import TestSession


def test_a_note_is_shown(client):
    with TestSession() as db:
        db.add(Note(text="milk"))
        db.commit()
    assert client.get("/notes").json() == ["milk"]
