import pytest
from fastapi.testclient import TestClient

from exchange.main import RATES, ROUNDED, app


@pytest.fixture
def yen():
    RATES["JPY"] = 150.4
    ROUNDED.append("JPY")
    yield
    ROUNDED.remove("JPY")
    del RATES["JPY"]


def test_a_rate_is_gone_by(monkeypatch):
    monkeypatch.setitem(RATES, "USD", 2.0)
    assert TestClient(app).get("/convert/10/USD").json() == 20


def test_yen_are_rounded(yen):
    assert TestClient(app).get("/convert/1/JPY").json() == 150
