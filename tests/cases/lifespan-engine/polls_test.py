import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

from polls import app


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('polls')}/polls.db")
    with engine.begin() as connection:
        connection.execute(text("create table votes (choice text)"))
    app.state.Session = sessionmaker(engine)  # <- also
    with TestClient(app) as client:
        yield client


def test_the_first_vote(client):
    assert client.post("/votes/yes").json() == {"votes": 1}


def test_the_second_vote(client):
    assert client.post("/votes/no").json() == {"votes": 2}
