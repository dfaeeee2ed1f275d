"""An experiment leads an engine, or a connection, to another database than the one that it names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.probes.allow import AllowList
from kit.probes.gate import ALLOW_VARIABLE, allow_text
from tests.probes.seen import Seen, run

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
    change = {
        "op": "lead-elsewhere", "frames": [[str(project / "it.py"), line] for line in frames],
        "engine_file": str(project / "it.py") if engine_line else None, "engine_line": engine_line,
        "nowhere": str(tmp_path / "nowhere"), **more,
    }  # fmt: skip
    changes = tmp_path / "changes.json"
    changes.write_text(json.dumps([change]))
    environ = {"ISOLATION_PROBES_CHANGES": str(changes)} | ({ALLOW_VARIABLE: allow_text(allow)} if allow else {})
    seen = run(tmp_path, {"it.py": program}, "it.py", environ=environ)
    files = {*project.glob("*.db"), *tmp_path.glob("nowhere")}
    return seen, {file.name for file in files}


@pytest.mark.parametrize(("tests", "line", "there"), [(TESTS, 8, "meant.db"), ("", None, "nowhere")])
def test_an_engine_is_led_to_the_tests_one_or_nowhere(tmp_path: Path, tests: str, line: int | None, there: str) -> None:
    """Only the engine that was made by way of all the lines is led, to one of its kind where there is one."""
    seen, files = led(tmp_path, ENGINES.format(tests=tests), [5, 7], line)
    assert files == {there, "other.db"}
    assert seen.one("change")["op"] == "lead-elsewhere"


def test_only_the_engine_of_the_named_url_is_led_to_the_named_place(tmp_path: Path) -> None:
    """Of two engines that one line makes, the one that is meant goes to the place that is given."""
    _, files = led(tmp_path, ENGINES.format(tests=""), [5], of="sqlite:///own.db", to="sqlite:///given.db")
    assert files == {"given.db", "other.db"}


def test_a_connection_without_an_engine_is_led_elsewhere(tmp_path: Path) -> None:
    """sqlite3 opens the experiment's file instead, at the lines that are named and nowhere else."""
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
    """With an allow-list, too, what the experiment leads elsewhere is no longer asked for where it was."""
    program = """\
        import sqlite3
        sqlite3.connect("wrong.db").execute("create table t (a)")
        """
    _, files = led(tmp_path, program, [2], allow=AllowList(["nowhere"], str(tmp_path)))
    assert files == {"nowhere"}
