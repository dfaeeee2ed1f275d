import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from app.db import SessionLocal, get_db
from app.main import app

engine = create_engine("sqlite:///sites-test.db", connect_args={"check_same_thread": False})
TestSession = sessionmaker(engine)


def get_test_db():
    with SessionLocal() as db:  # <- culprit
        yield db


app.dependency_overrides[get_db] = get_test_db


@pytest.fixture
def client():
    return TestClient(app)
