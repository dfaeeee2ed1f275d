from fastapi.testclient import TestClient
import pytest

from paint import orders
from paint.main import app


@pytest.fixture
def client(database):
    return TestClient(app)


def test_no_orders(database):
    assert orders.colours() == []


def test_no_orders_are_served(client):
    assert client.get("/orders").json() == []
