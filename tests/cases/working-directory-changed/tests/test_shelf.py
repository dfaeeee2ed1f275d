from fastapi.testclient import TestClient

from library.main import app


def test_the_shelf_is_empty() -> None:
    """Nobody has put a book there."""
    assert TestClient(app).get("/books").json() == []
