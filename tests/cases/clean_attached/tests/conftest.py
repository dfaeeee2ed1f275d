"""A client, and two databases of the tests' own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

FOLDER = Path(__file__).parents[1]
os.environ["SURGERY_DB"] = str(FOLDER / "test.db")
os.environ["SURGERY_ARCHIVE"] = str(FOLDER / "test-archive.db")


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client of the application."""
    from surgery.main import app

    with TestClient(app) as client:
        yield client
