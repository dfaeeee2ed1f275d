import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import StaticPool

from notes.db import Base, get_db
from notes.main import app

engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
TestSession = sessionmaker(engine)


def get_test_db():
    with TestSession() as db:
        yield db


app.dependency_overrides[get_db] = get_test_db


@pytest.fixture(autouse=True)
def tables():
    Base.metadata.create_all(engine)
    yield
    Base.metadata.drop_all(engine)


@pytest.fixture
def client():
    return TestClient(app)
