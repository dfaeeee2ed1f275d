"""peewee's objects of databases. The kit does not bring peewee: a class of the same methods stands in for it."""

from __future__ import annotations

from pathlib import Path

from tests.probes.seen import run

# As in peewee 3 and 4: `init` names the database, `connect` opens it.
STAND_IN = """\
import sqlite3

class Database:
    def __init__(self, database):
        self.connect_params = {}
        self.init(database)
    def init(self, database):
        self.database = database
    def connect(self):
        self.connection = self._connect()

class SqliteDatabase(Database):
    def _connect(self):
        return sqlite3.connect(self.database)
"""
PEEWEE = f"""\
import pathlib, sys
sys.path.insert(0, "lib/site-packages")
folder = pathlib.Path("lib/site-packages")
folder.mkdir(parents=True, exist_ok=True)
(folder / "peewee.py").write_text({STAND_IN!r})
import peewee

CONFIG = {{"database": "own.db"}}

database = peewee.SqliteDatabase(CONFIG["database"])
"""


def test_the_line_that_named_a_database_is_that_of_its_connections(tmp_path: Path) -> None:
    """The object stands for an engine: its connection and its statements belong to it, and its line is told."""
    seen = run(tmp_path, {"it.py": PEEWEE + "\n\ndef use():\n    database.connect()\n"
                          "    database.connection.execute('select 1')\n\nuse()\n"}, "it.py")  # fmt: skip
    engine = seen.one("engine")
    assert (engine["url"], engine["driver"]) == ("sqlite:///own.db", "peewee")
    assert seen.places(engine) == ["it.py:10 <module>"]
    assert seen.one("connection")["engine"] == engine["engine"]
    assert seen.one("use")["engine"] == engine["engine"]


def test_an_object_that_names_none_yet_is_told_of_once_it_does(tmp_path: Path) -> None:
    """A database that is named later has the line of that."""
    program = PEEWEE.replace('CONFIG["database"]', "None") + "database.init('later.db')\n"
    seen = run(tmp_path, {"it.py": program}, "it.py")
    engine = seen.one("engine")
    assert (engine["url"], seen.places(engine)) == ("sqlite:///later.db", ["it.py:11 <module>"])
