import pytest
from fastapi.testclient import TestClient

from library import create_app
from library.factory import Config


@pytest.fixture
def client(tmp_path):
    app = create_app(Config(database_url=f"sqlite+aiosqlite:///{tmp_path / 'library.db'}"))
    with TestClient(app) as client:
        yield client
