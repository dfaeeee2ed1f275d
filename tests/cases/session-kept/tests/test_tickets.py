import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

from helpdesk.main import app
from helpdesk.tickets import SessionLocal


@pytest.fixture
def client():
    engine = create_engine("sqlite:///helpdesk-test.db")
    with engine.begin() as connection:
        connection.execute(text("create table if not exists tickets (subject text)"))
    SessionLocal.configure(bind=engine)
    return TestClient(app)


def test_a_ticket_is_opened(client):
    client.post("/tickets/printer")
    assert "printer" in client.get("/tickets").json()
