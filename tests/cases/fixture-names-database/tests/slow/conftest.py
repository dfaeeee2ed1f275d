import pytest


@pytest.fixture(scope="session")  # <- culprit
def farm_url():
    return "sqlite:///farm.sqlite3"
