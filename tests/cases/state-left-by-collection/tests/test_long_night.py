from fastapi.testclient import TestClient

from museum.main import app
from museum.settings import settings

settings.closes = 24  # <- culprit


def test_the_long_night_of_museums():
    assert TestClient(app).get("/open/23").json() is True
