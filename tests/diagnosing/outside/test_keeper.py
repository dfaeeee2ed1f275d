"""What a run may ask for, and what it may not: the keeper is asked as the probes ask it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from kit.diagnosing.outside.keeper import Keeper
from kit.probes.allow import AllowList
from kit.probes.outside import DiagnoseProcess
from kit.probes.sealed import Seal, new_key

Make = Callable[..., tuple[Keeper, DiagnoseProcess]]


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as closing_all:

        def make(*allow: str) -> tuple[Keeper, DiagnoseProcess]:
            own = tmp_path / "own"
            own.mkdir()
            seal = Seal(new_key())
            keeper = Keeper(own, tmp_path, AllowList(allow, str(tmp_path)), seal)
            closing_all.enter_context(keeper)
            return keeper, DiagnoseProcess(keeper.address, seal.key)

        yield make


def ran(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def rows(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("select * from t order by 1").fetchall()


def ended(holder: DiagnoseProcess, put_back: tuple[str, ...] = (), keep: tuple[str, ...] = (), **memories: str) -> Any:
    return holder.ask(do="ends", memories=memories, put_back=put_back, keep=keep)


def reached(holder: DiagnoseProcess, path: Path) -> None:
    holder.ask(do="reached", kind="sqlite", path=str(path))


def test_each_run_finds_what_the_first_one_found(tmp_path: Path, keeping: Make) -> None:
    """What a run leaves is gone before the next, and at the end all is as the first run left it."""
    file = tmp_path / "a.db"
    ran(file, "create table t (x); insert into t values (1)")
    keeper, holder = keeping("a.db")
    reached(holder, file)
    assert keeper.databases == ["a.db"]
    ran(file, "insert into t values (2)")
    keeper.end_first_run()
    keeper.restore_before_run()
    assert rows(file) == [(1,)]
    ran(file, "insert into t values (3)")
    keeper.__exit__()
    assert rows(file) == [(1,), (2,)]


def test_what_units_leave_is_told_and_put_back(tmp_path: Path, keeping: Make) -> None:
    """Of two tables that differ, the one that is named is put back; or, with `keep`, the other."""
    file = tmp_path / "a.db"
    ran(file, "create table t (x); create table u (x)")
    _, holder = keeping("a.db")
    reached(holder, file)
    for asked in ({"put_back": ("table t of a.db",)}, {"keep": ("table u of a.db",)}):
        ran(file, "delete from t; delete from u")
        holder.ask(do="begins", memories={})
        ran(file, "insert into t values (1); insert into u values (1)")
        answer = ended(holder, **asked)
        told = [(one["place"], one["before"], one["after"]) for one in answer["differences"]]
        assert told == [("table t of a.db", "0 rows", "1 row"), ("table u of a.db", "0 rows", "1 row")]
        assert rows(file) == []
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("select count(*) from u").fetchone() == (1,)


def test_what_cannot_be_put_back_is_said(tmp_path: Path, keeping: Make) -> None:
    """A database that is locked, within a run and between runs, is named with the reason, and stays as it is."""
    file = tmp_path / "a.db"
    ran(file, "create table t (x)")
    keeper, holder = keeping("a.db")
    reached(holder, file)
    holder.ask(do="begins", memories={})
    ran(file, "insert into t values (1)")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("begin immediate")
        answer = ended(holder, put_back=("table t of a.db",))
        assert [one["place"] for one in answer["differences"]] == ["table t of a.db"]
        assert keeper.not_looked_at["a.db"].startswith("it could not be restored within a run (")
        keeper.end_first_run()
        keeper.restore_before_run()
        assert keeper.not_looked_at["a.db"].startswith("it could not be restored between runs (")
    assert rows(file) == [(1,)]


def test_a_fixtures_own_rows_are_no_difference(tmp_path: Path, keeping: Make) -> None:
    """A table that a fixture makes which outlives its test counts as it was when the fixture was made."""
    file = tmp_path / "a.db"
    _, holder = keeping("a.db")
    holder.ask(do="begins", memories={})
    reached(holder, file)
    ran(file, "create table t (x); insert into t values (1)")
    holder.ask(do="adopts", memories={})
    assert ended(holder)["differences"] == []


@pytest.mark.parametrize("allow", [(), ("other.db",), ("*",)])
def test_what_is_not_on_a_list_is_neither_looked_at_nor_written_to(
    tmp_path: Path, keeping: Make, allow: tuple[str, ...]
) -> None:
    """Without a list, off it, or on one that lets everything through: nothing is written, and that is said."""
    file = tmp_path / "a.db"
    ran(file, "create table t (x)")
    keeper, holder = keeping(*allow)
    reached(holder, file)
    holder.ask(do="begins", memories={})
    ran(file, "insert into t values (1)")
    assert ended(holder, put_back=("table t of a.db",))["differences"] == []
    keeper.end_first_run()
    keeper.restore_before_run()
    assert rows(file) == [(1,)]
    assert keeper.databases == []
    assert keeper.not_looked_at.keys() == {"a.db"}


def test_what_is_in_memory_is_put_back_by_who_has_it(tmp_path: Path, keeping: Make) -> None:
    """Of a database in memory the content is compared, and the statements that put it back are the answer."""
    _, holder = keeping()
    with closing(sqlite3.connect(":memory:")) as program:
        program.execute("create table t (x)")
        holder.ask(do="begins", memories={"1:1": program.serialize().hex()})
        program.execute("insert into t values (x'01')")
        program.commit()
        answer = ended(holder, ("table t of the database in memory",), **{"1:1": program.serialize().hex()})
        assert [one["place"] for one in answer["differences"]] == ["table t of the database in memory"]
        assert answer["run"] == {"1:1": [['delete from "t" where rowid is ? and "x" is ?', [1, {"bytes": "01"}]]]}


def test_who_has_not_the_key_is_not_heard(tmp_path: Path, keeping: Make) -> None:
    """A message that is sealed otherwise is not heard, and who sends it goes on; the next one is."""
    file = tmp_path / "a.db"
    keeper, holder = keeping("a.db")
    reached(DiagnoseProcess(keeper.address, new_key()), file)
    ran(file, "create table t (x); insert into t values (1)")
    reached(holder, file)
    ran(file, "insert into t values (2)")
    keeper.restore_before_run()
    assert rows(file) == [(1,)]


def test_where_nobody_is_there_the_program_goes_on(tmp_path: Path) -> None:
    """Without a socket nothing is asked, nothing is raised, and nothing is told to differ."""
    holder = DiagnoseProcess(str(tmp_path / "none"), new_key())
    assert ended(holder) == {}
