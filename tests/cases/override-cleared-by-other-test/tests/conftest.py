import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

from shop.app import app
from shop.deps import get_db

engine = create_engine("sqlite:///shop-test.db")
TestSession = sessionmaker(engine)


def get_test_db():
    with TestSession() as db:
        yield db


@pytest.fixture(scope="session", autouse=True)
def use_test_database():
    with engine.begin() as connection:
        connection.execute(text("create table if not exists orders (id integer primary key)"))
    app.dependency_overrides[get_db] = get_test_db  # <- also
    yield
    app.dependency_overrides.clear()


@pytest.fixture
def client():
    return TestClient(app)
