"""A re-run leads an engine, or a connection, to another database than the one that it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit.probes.allow import AllowList
from kit.probes.drivers import ADAPTERS
from kit.probes.drivers.base import Opener
from kit.probes.gate import ALLOW_VARIABLE, allow_text
from kit.probes.interventions import INTERVENTIONS_VARIABLE
from kit.probes.interventions.connections import NOWHERE, RedirectEngine, RemoveFirst
from kit.probes.interventions.elsewhere import to_nowhere
from tests.probes.seen import Seen, run
from tests.probes.test_peewee_use import PEEWEE

ENGINES = """\
    import sqlalchemy


    def make(url):
        return sqlalchemy.create_engine(url)

    own = make("sqlite:///own.db")
    {tests}
    other = make("sqlite:///other.db")
    with own.begin() as connection:
        connection.exec_driver_sql("create table t (a)")
    with other.begin() as connection:
        connection.exec_driver_sql("create table t (a)")
    """
TESTS = 'meant = sqlalchemy.create_engine("sqlite:///meant.db")'


def led(
    tmp_path: Path, program: str, frames: list[int], engine_line: int | None = None, allow: AllowList | None = None,
    **more: str,
) -> tuple[Seen, set[str]]:
    """Run a program with what is made by way of these lines led elsewhere; return also the files that came of it."""
    project = tmp_path / "project"
    led_elsewhere = RedirectEngine(
        tuple(("it.py", line) for line in frames), "it.py" if engine_line else "", engine_line or 0,
        nowhere=str(tmp_path / "nowhere"), **more,
    ).placed(str(project))  # fmt: skip
    interventions = tmp_path / "interventions.json"
    interventions.write_text(json.dumps([led_elsewhere.as_json()]))
    environ = {INTERVENTIONS_VARIABLE: str(interventions)} | ({ALLOW_VARIABLE: allow_text(allow)} if allow else {})
    seen = run(tmp_path, {"it.py": program}, "it.py", environ=environ)
    files = {*project.glob("*.db"), *tmp_path.glob("nowhere")}
    return seen, {file.name for file in files}


@pytest.mark.parametrize(("tests", "line", "there"), [(TESTS, 8, "meant.db"), ("", None, "nowhere")])
def test_an_engine_is_led_to_the_tests_one_or_nowhere(tmp_path: Path, tests: str, line: int | None, there: str) -> None:
    """Only the engine that was made by way of all the lines is led, to one of its kind where there is one."""
    seen, files = led(tmp_path, ENGINES.format(tests=tests), [5, 7], line)
    assert files == {there, "other.db"}
    assert seen.one("change")["op"] == "redirect-engine"


def test_only_the_engine_of_the_named_url_is_led_to_the_named_place(tmp_path: Path) -> None:
    """Of two engines that one line makes, the one that is meant goes to the place that is given."""
    _, files = led(tmp_path, ENGINES.format(tests=""), [5], of="sqlite:///own.db", to="sqlite:///given.db")
    assert files == {"given.db", "other.db"}


def test_a_connection_without_an_engine_is_led_elsewhere(tmp_path: Path) -> None:
    """sqlite3 opens the re-run's file instead, at the lines that are named and nowhere else."""
    program = """\
        import sqlite3

        for name in ("one.db", "two.db"):
            if name == "one.db":
                sqlite3.connect(database=name).execute("create table t (a)")
            else:
                sqlite3.connect(name).execute("create table t (a)")
        """
    _, files = led(tmp_path, program, [5])
    assert files == {"nowhere", "two.db"}


def test_it_is_the_file_that_is_opened_for_which_leave_is_asked(tmp_path: Path) -> None:
    """With an allow-list, too, a redirected database is no longer requested under its own name."""
    program = """\
        import sqlite3
        sqlite3.connect("wrong.db").execute("create table t (a)")
        """
    _, files = led(tmp_path, program, [2], allow=AllowList(["nowhere"], str(tmp_path)))
    assert files == {"nowhere"}


OPENERS = [opener for adapter in ADAPTERS for opener in adapter.openers]


@pytest.mark.parametrize("opener", OPENERS, ids=lambda opener: f"{opener.module}.{opener.owner or opener.function}")
def test_no_argument_keeps_a_server_where_it_was(opener: Opener) -> None:
    """Given by position, by keyword, or by what outweighs both, the place of a call becomes that of no server."""
    owner = ["the connection"] if opener.owner else []
    args = (*owner, *(f"own {name}" for name in opener.arguments))
    kwargs: dict[str, Any] = {name: "/run/own.sock" for name in opener.outweighs}
    left = to_nowhere(opener, args, kwargs)
    told = kwargs[opener.within] if opener.within else kwargs
    assert list(left) == owner
    assert (told["host"], told["port"], told[opener.database]) == ("127.0.0.1", 1, NOWHERE)
    assert not set(opener.outweighs) & set(told)


def test_a_driver_is_led_to_no_server_of_another_kind(tmp_path: Path) -> None:
    """Where the database that is allowed is Postgres', MySQL's driver is led to no server, and not to that one."""
    program = """\
        import pymysql

        try:
            pymysql.connect(host="127.0.0.9", user="app", database="own")
        except pymysql.err.OperationalError as error:
            print(error)
        """
    seen, _ = led(tmp_path, program, [4], there="postgresql://app:word@127.0.0.7:5433/tests")
    assert "127.0.0.1" in seen.output
    assert "127.0.0.7" not in seen.output


FOLLOWING = """\
    import sqlalchemy

    CONFIG = {"database": "sqlite:///own.db"}
    engine = sqlalchemy.create_engine(CONFIG["database"])

    def use(table):
        with engine.begin() as connection:
            connection.exec_driver_sql(f"create table {table} (a)")

    use("before")
    CONFIG["database"] = "sqlite:///tests.db"
    use("after")
    """


@pytest.mark.parametrize(("there", "first"), [("sqlite:///there.db", "there.db"), ("", "nowhere")])
def test_an_engine_follows_a_setting_that_is_changed(tmp_path: Path, there: str, first: str) -> None:
    """It goes where the setting points at that moment; while that is its old place, to the one that is given."""
    place = "__main__.CONFIG['database']"
    _, files = led(tmp_path, FOLLOWING, [4], follow=place, until="sqlite:///own.db", there=there)
    assert files == {first, "tests.db"}


IN_FOLDER = """def in_folder(url):
        import os
        return url.replace("///", f"///{os.getcwd()}/instance/")

    CONFIG = {"""


def test_a_file_that_a_setting_names_is_in_the_folder_of_the_one_before(tmp_path: Path) -> None:
    """Flask-SQLAlchemy takes the path of a file from a folder of its own: so does what follows its setting."""
    program = FOLLOWING.replace('CONFIG["database"])', 'in_folder(CONFIG["database"]))')
    program = program.replace("CONFIG = {", IN_FOLDER)
    (tmp_path / "project" / "instance").mkdir(parents=True)
    led(tmp_path, program, [8], follow="__main__.CONFIG['database']", until="sqlite:///own.db", there="sqlite:///x.db")
    assert {file.name for file in (tmp_path / "project" / "instance").iterdir()} == {"x.db", "tests.db"}


def test_an_object_of_peewees_follows_a_setting(tmp_path: Path) -> None:
    """What an object of a database opens is redirected by the line that named its database."""
    program = f"{PEEWEE}\nCONFIG['database'] = 'tests.db'\ndatabase.connect()\n"
    _, files = led(tmp_path, program, [10], follow="__main__.CONFIG['database']", until="own.db", there="there.db")
    assert files == {"tests.db"}


REMOVED = """\
    import sqlalchemy
    from sqlalchemy.orm import scoped_session, sessionmaker

    Session = scoped_session(sessionmaker(sqlalchemy.create_engine("sqlite:///own.db")))
    kept = Session()
    Session.configure(bind=sqlalchemy.create_engine("sqlite:///tests.db"))
    Session().execute(sqlalchemy.text("create table t (a)"))
    """


@pytest.mark.parametrize(("line", "file"), [(6, "tests.db"), (5, "own.db")])
def test_a_scoped_session_is_removed_before_its_factory_is_configured(tmp_path: Path, line: int, file: str) -> None:
    """The session that comes after a configuration at that line is one of the new engine; at another it is the old."""
    removing = RemoveFirst("it.py", line).placed(str(tmp_path / "project"))
    interventions = tmp_path / "interventions.json"
    interventions.write_text(json.dumps([removing.as_json()]))
    seen = run(tmp_path, {"it.py": REMOVED}, "it.py", environ={INTERVENTIONS_VARIABLE: str(interventions)})
    assert {path.name for path in seen.folder.glob("*.db")} == {file}
    assert len(seen.of("change", op="remove-first")) == (line == 6)
