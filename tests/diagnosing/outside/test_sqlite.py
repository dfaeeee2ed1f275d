from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kit.diagnosing.outside.contents import Contents, differences
from kit.diagnosing.outside.sqlite import SqliteFile
from kit.diagnosing.outside.store import CannotBeAsked

SCHEMA = """
create table a (id integer primary key autoincrement, x);
create table w (k text primary key, v) without rowid;
create table g (x, y generated always as (x + 1));
create virtual table f using fts5(words);
insert into a (x) values ('1'), (x'00');
insert into w values ('k', 1.5);
insert into g (x) values (1);
"""
WRITES = """
insert into a (x) values (5);
update a set x = 2 where id = 1;
delete from w;
update g set x = 7;
create table n (y);
insert into n values (3);
create view v as select * from a;
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    ran(path, SCHEMA)
    return path


def ran(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def labels(before: Contents, after: Contents) -> set[str]:
    return {left.label for left in differences(before, after)}


def test_one_table_is_put_back_and_no_other(file: Path) -> None:
    """Rows that have come go, rows that have gone come, with their numbers; all other tables stay as they are."""
    store = SqliteFile(file)
    before = store.look()
    ran(file, WRITES)
    assert labels(before, store.look()) == {"table a", "table w", "table g", "table n", "sequence a", "view v"}
    store.put_back(before, {"table a"})
    assert labels(before, store.look()) == {"table w", "table g", "table n", "sequence a", "view v"}


def test_all_of_it_is_put_back(file: Path) -> None:
    """Tables of every kind hold what they held, and what was made is gone."""
    store = SqliteFile(file)
    before = store.look()
    ran(file, WRITES)
    store.put_back(before, None)
    assert store.look() == before


def test_the_statements_do_the_same_on_a_connection_of_the_program(file: Path) -> None:
    """What cannot be written to from outside is put back by its steps, run on a connection that is open."""
    store = SqliteFile(file)
    before = store.look()
    ran(file, WRITES)
    with closing(sqlite3.connect(file)) as connection:
        for sql, values in store.steps(before, {"table a", "sequence a"}):
            connection.execute(sql, values)
        connection.commit()
    assert labels(before, store.look()) == {"table w", "table g", "table n", "view v"}


def test_no_file_holds_nothing_and_none_is_made(tmp_path: Path) -> None:
    """A file that is not there is not made by looking, nor by putting it back."""
    store = SqliteFile(tmp_path / "none.db")
    assert store.look() == Contents()
    store.put_back(Contents(), None)
    assert not list(tmp_path.iterdir())


def test_what_is_locked_or_no_database_says_why(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the program holds the file, or it is none of SQLite's, that is said and nothing is waited for for long."""
    monkeypatch.setattr("kit.diagnosing.outside.sqlite._WAITS_S", 0.05)
    store = SqliteFile(file)
    before = store.look()
    ran(file, WRITES)
    with closing(sqlite3.connect(file, isolation_level=None)) as program:
        program.execute("begin immediate")
        with pytest.raises(CannotBeAsked, match="locked"):
            store.put_back(before, None)
    (tmp_path / "text").write_text("no database" * 100)
    with pytest.raises(CannotBeAsked, match="not a database"):
        SqliteFile(tmp_path / "text").look()


CHANGES = {
    "drop table a": {"table a"},
    "alter table a add column y int default 3": {"table a"},
    "alter table a rename column x to y": {"table a"},
    "drop table w": {"table w"},
    "drop table g; create table g (x)": {"table g"},
    "drop index ix": {"index ix"},
    "create unique index other on g (x)": {"index other"},
    "drop trigger t": {"trigger t"},
    "drop view seen": {"view seen"},
    "drop view seen; create view seen as select id from a": {"view seen"},
    "pragma user_version = 4": {"setting user_version"},
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_dropped_or_altered_is_made_again(file: Path, change: str) -> None:
    """Each is told under one name, and put back with its rows, indexes, triggers and numbers; nothing else moves."""
    ran(file, "create index ix on a (x); create view seen as select * from a; create table log (x);"
              "create trigger t after insert on a begin insert into log values (new.x); end")  # fmt: skip
    store = SqliteFile(file)
    before = store.look()
    ran(file, f"{change}; create table aside (x)")
    assert labels(before, store.look()) == {*CHANGES[change], "table aside"}
    steps = store.steps(before, CHANGES[change])
    assert labels(before, store.look()) == {*CHANGES[change], "table aside"}
    store.put_back(before, CHANGES[change])
    assert labels(before, store.look()) == {"table aside"}
    store.put_back(before, None)
    assert store.look() == before
    with closing(sqlite3.connect(file, isolation_level=None)) as program:
        program.executescript(change)
        for sql, values in steps:
            program.execute(sql, values)
    assert store.look() == before
