from fastapi.testclient import TestClient

from exchange.main import app


def test_euros_are_converted():
    assert TestClient(app).get("/convert/10/USD").json() == 12.5
