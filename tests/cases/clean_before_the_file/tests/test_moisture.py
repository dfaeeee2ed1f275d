from fastapi.testclient import TestClient

from garden.main import app


def test_a_measurement_is_kept():
    assert TestClient(app).post("/moisture/41").status_code == 201
