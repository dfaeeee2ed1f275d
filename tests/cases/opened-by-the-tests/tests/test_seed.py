import sqlite3
from contextlib import closing


def test_the_seed_has_a_south():
    with closing(sqlite3.connect("sites.db")) as connection:  # <- culprit
        assert connection.execute("select count(*) from sites where name = 'south'").fetchone() == (1,)
