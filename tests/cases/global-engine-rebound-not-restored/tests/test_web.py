from fastapi.testclient import TestClient

from fleet.web import app


def test_the_cars_are_listed():
    assert TestClient(app).get("/cars").json() == ["B-AD 1815"]
