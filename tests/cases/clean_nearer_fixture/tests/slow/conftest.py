import pytest


@pytest.fixture(scope="session")
def farm_url():
    return "sqlite:///testing.sqlite3"
