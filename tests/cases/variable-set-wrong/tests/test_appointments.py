from fastapi.testclient import TestClient

from clinic.main import app


def test_a_day_is_booked():
    assert TestClient(app).post("/appointments/monday").status_code == 201
