"""A client, and a database of the tests' own, which an override puts in the place of the application's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from surgery.db import get_db
from surgery.main import app

engine = create_engine(f"sqlite:///{Path(__file__).parents[1] / 'test.db'}")


def get_test_db() -> Iterator[Session]:
    """A session on the tests' own engine."""
    with Session(engine) as session:
        yield session


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client of the application, on the tests' database."""
    app.dependency_overrides[get_db] = get_test_db
    with TestClient(app) as client:
        yield client
    del app.dependency_overrides[get_db]
