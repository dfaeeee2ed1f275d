from fastapi.testclient import TestClient

from app import app


def test_there_are_no_books_yet():
    assert TestClient(app).get("/books").json() == []
