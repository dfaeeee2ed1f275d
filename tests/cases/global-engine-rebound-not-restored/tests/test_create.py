import tempfile
from pathlib import Path

from sqlalchemy import text

from fleet import db


def test_init_db_makes_the_table():
    with tempfile.TemporaryDirectory() as folder:
        db.init_db(Path(folder) / "new.db")  # <- culprit
        with db.engine.connect() as connection:
            assert connection.scalar(text("select count(*) from cars")) == 0
