"""What is told of a run's databases and files, and what is kept of who wrote to them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from kit.probes.databases import Connection, Databases
from kit.probes.hooks import Hooks
from kit.probes.objects import Objects
from kit.probes.outside import DiagnoseProcess, Journal, Telling, Touching
from kit.probes.recorder import Recorder
from kit.probes.statements import read

HERE = Path(__file__).name


class Told:
    """Stands for who holds the run."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def ask(self, **message: Any) -> dict[str, Any]:
        self.messages.append(message)
        return {}


@pytest.fixture
def touching(tmp_path: Path) -> Iterator[tuple[Touching, Told]]:
    told, hooks = Told(), Hooks()
    (tmp_path / "read").touch()
    found = Touching(cast(DiagnoseProcess, told), str(tmp_path))
    found.install(hooks)
    yield found, told
    hooks.remove()


def test_a_file_is_told_of_before_it_is_written_to(tmp_path: Path, touching: tuple[Touching, Told]) -> None:
    """Each way to write, make or remove a file is told once, with the line; reading one is not."""
    found, told = touching
    (tmp_path / "read").read_text()
    (tmp_path / "text").write_text("x")
    (tmp_path / "text").write_text("y")
    os.close(os.open(tmp_path / "flags", os.O_CREAT | os.O_WRONLY))
    os.rename(tmp_path / "text", tmp_path / "renamed")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inner").write_text("z")
    shutil.rmtree(tmp_path / "folder")
    names = [os.path.relpath(message["path"], tmp_path) for message in told.messages]
    assert names == ["text", "flags", "renamed", "folder", "folder/inner"]
    assert Path(found.writes[str(tmp_path / "renamed")][0][0]).name == HERE


def test_what_is_elsewhere_or_a_tools_own_is_not_told(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, touching: tuple[Touching, Told]
) -> None:
    """A file outside of the folder is not, nor one in a folder of caches."""
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("")
    (tmp_path_factory.mktemp("other") / "file").write_text("")
    assert touching[1].messages == []


@pytest.fixture
def journal() -> tuple[Databases, Journal, Connection]:
    databases = Databases(cast(Recorder, None), Objects())
    found = Journal(databases)
    databases.listen(found)
    return databases, found, Connection("1", "db", None, False)


def ran(journal: Journal, connection: Connection, *statements: str) -> None:
    for text in statements:
        journal.wrote(connection, read(text), text)


def lines_of(journal: Journal, name: str, kind: str = "table", after: str = "1 row", before: str = "") -> Any:
    return journal.origin_of({"key": "db", "name": name, "kind": kind, "before": before, "after": after})


@pytest.mark.parametrize(
    ("before", "after", "by"),
    [
        ("", "1 row", "insert"), ("0 rows", "1 row", "insert"), ("2 rows", "1 row", "delete"),
        ("1 row", "1 row, 1 of them changed", "insert"), ("1 row", "", "drop"), ("", "0 rows", "create"),
    ],
)  # fmt: skip
def test_what_wrote_is_what_can_have_changed_it_so(
    before: str, after: str, by: str, journal: tuple[Databases, Journal, Connection]
) -> None:
    """More rows are put down to what adds, fewer to what takes away, an empty table to what made it first."""
    _, found, connection = journal
    for verb, text in {
        "create": "create table if not exists items (x int)", "insert": "insert into items values (1)",
        "delete": "delete from items where x = 2", "again": "create table if not exists items (x int)",
    }.items():
        ran(found, connection, text)
        found.writes[-1].notes.append((verb, None))
    if not after:
        ran(found, connection, "drop table items")
        found.writes[-1].notes.append(("drop", None))
    assert [said for said, _, _ in lines_of(found, "items", after=after, before=before)["notes"]] == [by]


@pytest.mark.parametrize(
    ("kind", "name", "before", "after", "by"),
    [
        ("table", "items", "1 row", "", "drop table items"),
        ("table", "items", "1 row", "altered: with age int", "alter table items add age int"),
        ("index", "ux", "", "there", "create unique index ux on items (x)"),
        ("index", "old", "there", "", "drop index old"),
        ("trigger", "told on items", "there", "", "drop trigger told on items"),
        ("view", "seen", "there", "replaced by another", "create or replace view seen as select 1"),
        ("function", "shop.price(integer)", "", "there", "create function shop.price(int) returns int"),
        ("view", "lost", "there", "", "drop table other cascade"),
        ("setting", "user_version", "", "7", "pragma user_version = 7"),
        ("view", "nobody_made", "", "there", None),
    ],
)  # fmt: skip
def test_what_made_or_dropped_it_is_the_statement_that_names_it(
    kind: str, name: str, before: str, after: str, by: str | None, journal: tuple[Databases, Journal, Connection]
) -> None:
    """An index is put down to the statement on it, not to that on its table; what went along, to who dropped all."""
    _, found, connection = journal
    for text in (
        "create unique index ux on items (x)", "insert into items (x) values (1)", "alter table items add age int",
        "pragma user_version = 7", "create or replace view seen as select 1",
        "create function shop.price(int) returns int", "drop index old", "drop trigger told on items",
        "drop table other cascade", "drop table items", "insert into older values ('older')",
    ):  # fmt: skip
        ran(found, connection, text)
    write = found.of({"key": "db", "name": name, "kind": kind, "before": before, "after": after})
    assert (write and write.text) == by


def test_roles_and_databases_are_told_by_their_statements(journal: tuple[Databases, Journal, Connection]) -> None:
    """One that was created and dropped again is not told; only one known to be the run's own can be dropped again."""
    _, found, connection = journal
    ran(
        found, connection, "create role reader", 'CREATE DATABASE "tenant_48211"', "create user passing",
        "drop user if exists passing", "drop role gone", "create table role (database int)",
    )  # fmt: skip
    told = {one["place"]: (one["before"], one["after"]) for one in found.of_servers()}
    assert told == {"role reader": ("", "there"), "database tenant_*": ("", "there"), "role gone": ("there", "")}
    assert {(one["can_go_back"], Path(one["written"][0][0]).name) for one in found.of_servers()} == {(False, HERE)}
    own = {one["place"] for one in found.of_servers(["role reader", "role gone"]) if one["can_go_back"]}
    assert own == {"role reader"}


def test_what_is_about_to_be_created_on_a_server_is_asked_for_first() -> None:
    """A name is told as the server will have it: without quotation marks, else in lower case."""
    told, connection = Told(), Connection("1", "db", None, False)
    telling = Telling(cast(DiagnoseProcess, told))
    for text in ("CREATE ROLE Reader", 'create database "Tenant"', "drop role reader", "create table x ()"):
        telling.wrote(connection, read(text), text)
    asked = [tuple(message.values()) for message in told.messages]
    assert asked == [("creates", "db", "role", "reader"), ("creates", "db", "database", "Tenant")]


def test_who_wrote_last_and_who_committed_it(journal: tuple[Databases, Journal, Connection]) -> None:
    """The last statement that adds to a table is named, and the line that committed it."""
    databases, found, connection = journal
    ran(found, connection, "insert into items values (1)")
    found.wrote(connection, read("delete from items"), "delete from items")
    databases.ended(connection, True)
    told = lines_of(found, "items")
    assert (Path(told["written"][0][0]).name, told["written"][0][2]) == (HERE, "ran")
    assert lines_of(found, "items", after="")["written"][0][2] != "ran"
    assert [said for said, _, _ in told["notes"]] == ["the write is committed here"]
    assert lines_of(found, "none") == {"written": (), "notes": ()}


def test_what_was_rolled_back_is_not_named(journal: tuple[Databases, Journal, Connection]) -> None:
    """A statement whose transaction was rolled back has left nothing."""
    databases, found, connection = journal
    ran(found, connection, "insert into items values (1)")
    databases.ended(connection, False)
    assert lines_of(found, "items")["written"] == ()


def test_the_table_of_a_sequence_and_one_of_that_name_elsewhere(journal: tuple[Databases, Journal, Connection]) -> None:
    """A sequence is written by who writes to its table; who empties that name in another schema is told beside."""
    _, found, connection = journal
    ran(found, connection, "truncate public.items cascade", "insert into items values (1)")
    assert lines_of(found, "w1.items_id_seq", "sequence")["written"]
    (note,) = lines_of(found, "w1.items")["notes"]
    assert note[0] == "this statement empties public.items, which is another table of the same name"
    assert lines_of(found, "items")["notes"] == []
