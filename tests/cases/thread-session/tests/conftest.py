import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

from app.db import get_db
from app.main import app

engine = create_engine("sqlite:///sites-test.db", connect_args={"check_same_thread": False})
TestSession = sessionmaker(engine)


def get_test_db():
    with TestSession() as db:
        yield db


app.dependency_overrides[get_db] = get_test_db


@pytest.fixture(autouse=True)
def tables():
    with engine.begin() as connection:
        connection.execute(text("create table if not exists sites (id integer primary key, name varchar)"))
    yield
    with engine.begin() as connection:
        connection.execute(text("drop table sites"))


@pytest.fixture
def client():
    return TestClient(app)
