import os

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from lab.main import app, get_db

# Each worker has a database of its own; nobody thought of a second one.
DATABASES = {"master": "sqlite:///lab-test.db", "gw0": "sqlite:///lab-test.db"}


@pytest.fixture(scope="session")
def engine():
    worker = os.environ.get("PYTEST_XDIST_WORKER", "master")
    engine = create_engine(DATABASES.get(worker, "sqlite:///lab.db"))  # <- culprit
    with engine.begin() as connection:
        connection.execute(text("create table if not exists samples (name text)"))
    return engine


@pytest.fixture(scope="session", autouse=True)
def client(engine):
    def get_test_db():
        with Session(engine) as db:
            yield db

    app.dependency_overrides[get_db] = get_test_db
    return TestClient(app)
