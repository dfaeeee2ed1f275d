import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

from src.bookings.db import get_db  # <- also
from src.bookings.main import app

engine = create_engine("sqlite:///test_bookings.db")
TestingSession = sessionmaker(bind=engine)


def get_test_db():
    with TestingSession() as db:
        yield db


@pytest.fixture
def client():
    with engine.begin() as connection:
        connection.execute(text("drop table if exists rooms"))
        connection.execute(text("create table rooms (name text)"))
    app.dependency_overrides[get_db] = get_test_db  # <- culprit
    yield TestClient(app)
    app.dependency_overrides.clear()
