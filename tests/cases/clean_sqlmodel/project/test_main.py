import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, SQLModel, create_engine
from sqlmodel.pool import StaticPool

from .main import Team, app, get_session


@pytest.fixture(name="session")
def session_fixture():
    engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        yield session


@pytest.fixture(name="client")
def client_fixture(session: Session):
    def get_session_override():
        return session

    app.dependency_overrides[get_session] = get_session_override
    client = TestClient(app)
    yield client
    app.dependency_overrides.clear()


def test_create_team(client: TestClient):
    response = client.post("/teams/", json={"name": "Preventers"})
    assert response.json() == {"id": 1, "name": "Preventers"}


def test_read_team(session: Session, client: TestClient):
    session.add(Team(name="Z-Force"))
    session.commit()
    assert client.get("/teams/1").json()["name"] == "Z-Force"
    assert client.get("/teams/2").status_code == 404


def test_read_teams(session: Session, client: TestClient):
    assert client.get("/teams/").json() == []
