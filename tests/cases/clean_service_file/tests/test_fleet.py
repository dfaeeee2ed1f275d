import os

import psycopg
import pytest
from fleet.ships import ships


@pytest.fixture(autouse=True)
def no_ships():
    with psycopg.connect(os.environ["FLEET_TEST_URL"]) as connection:
        connection.execute("create table if not exists ships (name text)")


def test_there_are_no_ships():
    assert ships() == []
