import pytest
from farm.barn import cows


@pytest.fixture(scope="session")
def farm_url():
    return "sqlite:///testing.sqlite3"


@pytest.fixture
def herd(farm_url):
    return cows(farm_url)
