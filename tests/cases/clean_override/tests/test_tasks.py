import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from todo.db import Base, get_db
from todo.main import app, sent

engine = create_engine("sqlite:///test.db", connect_args={"check_same_thread": False})
TestingSessionLocal = sessionmaker(bind=engine)


def override_get_db():
    db = TestingSessionLocal()
    try:
        yield db
    finally:
        db.close()


app.dependency_overrides[get_db] = override_get_db
client = TestClient(app)


@pytest.fixture(autouse=True)
def tables():
    Base.metadata.create_all(engine)
    yield
    Base.metadata.drop_all(engine)


def test_a_task_is_added():
    assert client.post("/tasks/shopping").json() == {"id": 1}
    assert client.get("/tasks").json() == ["shopping"]
    assert sent == ["shopping"]


@pytest.mark.parametrize("title", ["laundry", "dishes"])
def test_every_test_begins_with_none(title):
    assert client.get("/tasks").json() == []
    client.post(f"/tasks/{title}")
