from fastapi.testclient import TestClient

from exchange.main import RATES, app


def test_a_rate_is_gone_by():
    RATES["USD"] = 2.0  # <- culprit
    assert TestClient(app).get("/convert/10/USD").json() == 20
