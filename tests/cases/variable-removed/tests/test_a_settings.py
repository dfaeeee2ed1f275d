import os

from app.db import database_url


def test_the_default():
    del os.environ["DATABASE_URL"]  # <- culprit
    assert database_url() == "sqlite:///sites.db"
