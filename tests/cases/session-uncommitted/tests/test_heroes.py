import pytest
from fastapi.testclient import TestClient
from heroes.main import Hero, app, get_session
from sqlmodel import Session, SQLModel, create_engine

engine = create_engine("sqlite:///testing.db")


def get_testing_session():
    with Session(engine) as session:
        yield session


@pytest.fixture
def hero():
    SQLModel.metadata.drop_all(engine)
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        hero = Hero(name="Deadpond")
        session.add(hero)
        session.flush()  # <- culprit
        yield hero


@pytest.fixture
def client():
    app.dependency_overrides[get_session] = get_testing_session
    yield TestClient(app)
    app.dependency_overrides.clear()


def test_read_heroes(hero, client):
    assert [found["name"] for found in client.get("/heroes").json()] == ["Deadpond"]
