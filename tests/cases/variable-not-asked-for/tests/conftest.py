"""A client, and the database of the tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

os.environ["DATABASE_URL"] = f"sqlite:///{Path(__file__).parents[1] / 'depot-test.db'}"  # <- culprit


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client of the application."""
    from app.main import app

    with TestClient(app) as client:
        yield client
