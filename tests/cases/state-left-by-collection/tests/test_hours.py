from fastapi.testclient import TestClient

from museum.main import app


def test_the_museum_is_closed_at_night():
    assert TestClient(app).get("/open/22").json() is False
