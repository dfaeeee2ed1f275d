import os

os.environ["LIBRARY_URL"] = os.environ["LIBRARY_TEST_URL"]

import pytest
from sqlalchemy import text

from app import engine


@pytest.fixture(autouse=True)
def tables():
    with engine.begin() as connection:
        connection.execute(text("create table if not exists books (title text)"))
    yield
    with engine.begin() as connection:
        connection.execute(text("drop table books"))  # <- also
