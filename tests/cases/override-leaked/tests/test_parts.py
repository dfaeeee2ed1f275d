import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from warehouse.database import engine
from warehouse.web import app


@pytest.fixture
def empty_warehouse():
    with engine.begin() as connection:
        connection.execute(text("drop table if exists parts"))
        connection.execute(text("create table parts (name text)"))


def test_a_part_is_added(empty_warehouse):
    client = TestClient(app)
    assert client.post("/parts/valve").status_code == 201
    assert "valve" in client.get("/parts").json()
