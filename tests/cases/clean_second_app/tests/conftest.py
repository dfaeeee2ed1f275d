import pytest
from fastapi.testclient import TestClient

from clinic.app import create_app
from clinic.setup import create_tables


@pytest.fixture
def client():
    create_tables("test.sqlite3")
    return TestClient(create_app("test.sqlite3"))
