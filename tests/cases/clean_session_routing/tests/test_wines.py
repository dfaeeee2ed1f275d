import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine

from wines.main import app
from wines.store import Base, SessionLocal, get_db


@pytest.fixture
def client():
    engine = create_engine("sqlite:///cellar-test.db")
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)

    def get_test_db():
        with SessionLocal(bind=engine) as db:
            yield db

    app.dependency_overrides[get_db] = get_test_db
    yield TestClient(app)
    app.dependency_overrides.clear()


def test_a_wine_is_listed(client):
    client.post("/wines/chablis")
    assert client.get("/wines").json() == ["chablis"]
