"""Each intervention does the one thing that it says, in memory, and tells that it took hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from kit.probes.allow import AllowList
from kit.probes.gate import ALLOW_VARIABLE, allow_text
from kit.probes.interventions import INTERVENTIONS_VARIABLE
from kit.probes.interventions.base import Intervention
from kit.probes.interventions.connections import NoCreator, OneInMemory
from kit.probes.interventions.copies import RebindCopies
from kit.probes.interventions.tests import LeaveOut, RestoreFolder, RunFirst, RunOnly, StopWhenRefused
from kit.probes.interventions.texts import EditModule, EditSettings, PathFirst
from kit.probes.interventions.threads import HandOnContext
from kit.probes.interventions.variables import DropFromFiles, HandOnVariable, PinVariable
from tests.probes.seen import PYTEST, run

SHOW = "import os\nprint(os.environ.get('DATABASE_URL'))\n"
DATA = 'import tomllib\nprint(tomllib.load(open("it.toml", "rb")), open("it.toml").read())\n'
DOTENV = """\
    from dotenv import dotenv_values
    print(sorted({**dotenv_values("a.env"), **dotenv_values("b.env")}.items()))
    """
CHILD = """\
    import os, subprocess, sys
    show = "import os; print(os.environ.get('DATABASE_URL'), flush=True)"
    given = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    subprocess.run([sys.executable, "-c", show], env=given)
    """
CREATOR = """\
    import sqlite3
    from sqlalchemy import create_engine, event
    engine = create_engine("sqlite:///named.db", creator=lambda: sqlite3.connect("other.db"))
    listened = create_engine("sqlite:///named.db")

    @event.listens_for(listened, "do_connect")
    def elsewhere(dialect, record, arguments, options):
        arguments[0] = "other.db"

    for one in (engine, listened):
        with one.connect() as connection:
            print(connection.exec_driver_sql("pragma database_list").first()[2].rpartition("/")[2])
    """
MEMORY = """\
    import threading
    from sqlalchemy import create_engine
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql("create table t (x)")

    def count():
        with engine.connect() as connection:
            print(connection.exec_driver_sql("select count(*) from t").scalar())

    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
    """
IN_A_THREAD = """\
    from contextvars import ContextVar
    from threading import Thread

    current = ContextVar("current", default="not set")
    current.set("set")
    thread = Thread(target=lambda: print(current.get()))
    thread.start()
    thread.join()
    """
COPIES = """\
    import db, holder
    from db import maker
    import sys

    class Asked:  # as ctypes.cdll and pytest.mark do, which load a library or warn
        def __getattr__(self, name):
            raise OSError(f"asked for {name}")

    holder.maker, holder.asked, holder.mock = maker, Asked(), sys.modules[__name__]
    db.maker = "the tests' own"
    print(maker, holder.maker)
    """


@pytest.mark.parametrize(
    ("files", "intervention", "expected"),
    [
        ({"it.py": COPIES, "db.py": "maker = object()\n", "holder.py": ""},
         RebindCopies("db", "maker"), "the tests' own the tests' own\n"),
        ({"it.py": 'import os\nos.environ["DATABASE_URL"] = "a"\n' + SHOW},
         PinVariable("DATABASE_URL", "b"), "b\n"),
        ({"it.py": CHILD}, HandOnVariable("DATABASE_URL"), "sqlite:///own.db\n"),
        ({"it.py": IN_A_THREAD}, HandOnContext(), "set\n"),
        ({"it.py": DATA, "it.toml": "x = 1\ny = 2\n"},
         EditSettings("it.toml", ((2, 2, "y = 3"),)), "{'x': 1, 'y': 3} x = 1\ny = 3\n\n"),
        ({"it.py": DOTENV, "a.env": "A=1\nB=1\n", "b.env": "B=2\n"},
         DropFromFiles(("B",), "b.env"), "[('A', '1'), ('B', '1')]\n"),
        ({"it.py": CREATOR}, NoCreator(), "named.db\nnamed.db\n"),
        ({"it.py": MEMORY}, OneInMemory(), "0\n"),
        ({"it.py": "import app\nprint(app.x)\n", "app.py": "x = 1\n", "own/app.py": "x = 2\n"},
         PathFirst("own"), "2\n"),
    ],
    ids=lambda value: value.op if isinstance(value, Intervention) else "",
)  # fmt: skip
def test_an_intervention_in_a_program(
    tmp_path: Path, files: Mapping[str, str], intervention: Intervention, expected: str
) -> None:
    """What the program sees is changed in that one thing."""
    environ = {"DATABASE_URL": "sqlite:///own.db", **asked_for(tmp_path, intervention)}
    seen = run(tmp_path, files, "it.py", environ=environ)
    assert seen.output == expected
    assert {event["op"] for event in seen.of("change")} == {intervention.op}


def test_two_edits_of_one_module_are_both_made(tmp_path: Path) -> None:
    """Each takes hold, though the other changes the same file."""
    edits = [EditModule("app.py", ((line, line, f"{name} = 2"),)) for line, name in ((1, "x"), (2, "y"))]
    files = {"it.py": "import app\nprint(app.x, app.y)\n", "app.py": "x = 1\ny = 1\n"}
    seen = run(tmp_path, files, "it.py", environ=asked_for(tmp_path, *edits))
    assert seen.output == "2 2\n"
    assert {event["number"] for event in seen.of("change")} == {0, 1}


def test_the_working_directory_is_put_back_after_each_test(tmp_path: Path) -> None:
    """A test that leaves it changed changes it for itself alone."""
    files = {
        "test_it.py": """\
            import os

            def test_goes(tmp_path): os.chdir(tmp_path)
            def test_is_here(): assert os.path.exists("test_it.py")
            """
    }
    seen = run(tmp_path, files, *PYTEST, environ=asked_for(tmp_path, RestoreFolder()))
    assert seen.one("change")["op"] == "restore-folder"


UNITTEST = {
    "tests/__init__.py": "",
    "tests/test_a.py": """\
        import unittest

        print("a is imported")

        class A(unittest.TestCase):
            def test_one(self): print("a one")
            def test_two(self): print("a two")
        """,
    "tests/test_b.py": """\
        import unittest
        from tests import helpers

        class B(unittest.TestCase):
            def test_one(self): print("b one")
        """,
    "tests/helpers.py": "",
}
A, B = "tests/test_a.py", "tests/test_b.py"


@pytest.mark.parametrize(
    "way", [("discover", "-t", ".", "tests"), ("tests.test_a", "tests.test_b.B")], ids=["all", "named"]
)
@pytest.mark.parametrize(
    ("intervention", "expected"),
    [
        (LeaveOut((f"{A}::A::test_one",)), ["a is imported", "a two", "b one"]),
        (LeaveOut((A,)), ["a is imported", "b one"]),
        (LeaveOut(files=(A,)), ["b one"]),
        (RunOnly((f"{A}::A::test_two",)), ["a is imported", "a two"]),
        (RunFirst((f"{B}::B::test_one", f"{A}::A::test_two")),
         ["a is imported", "b one", "a two", "a one"]),
    ],
    ids=str,
)  # fmt: skip
def test_tests_are_chosen_under_unittest(
    tmp_path: Path, way: tuple[str, ...], intervention: Intervention, expected: list[str]
) -> None:
    """What pytest would leave out, run alone or run first, is so under unittest, too."""
    seen = run(tmp_path, UNITTEST, "-m", "unittest", *way, environ=asked_for(tmp_path, intervention))
    assert seen.output.splitlines() == expected
    assert seen.one("change")["op"] == intervention.op


@pytest.mark.parametrize("at", ["module", "test"])
def test_unittest_begins_no_test_once_a_connection_was_refused(tmp_path: Path, at: str) -> None:
    """Where a database is stopped, be it while a module of tests is loaded, no further test is begun."""
    reach = "sqlite3.connect('prod.db')"
    test = f"""\
        import contextlib, sqlite3, unittest
        {f"with contextlib.suppress(Exception): {reach}" if at == "module" else ""}

        class It(unittest.TestCase):
            def test_one(self): print("one"); {reach}
            def test_two(self): print("two")

        class More(unittest.TestCase):
            def test_three(self): print("three")
        """
    environ = {**asked_for(tmp_path, StopWhenRefused()), ALLOW_VARIABLE: allow_text(AllowList([], str(tmp_path)))}
    seen = run(tmp_path, {"test_it.py": test}, "-m", "unittest", environ=environ, expect=None)
    assert seen.output.splitlines() == ([] if at == "module" else ["one"])
    assert len(seen.of("outcome")) == (0 if at == "module" else 1)


@pytest.mark.parametrize(("kind", "ran"), [
    (LeaveOut, ["test_first", "test_last"]),
    (RunOnly, ["test_login[***]"]),
    (RunFirst, ["test_login[***]", "test_first", "test_last"]),
])  # fmt: skip
def test_a_test_is_chosen_by_its_id_without_the_secret_in_it(
    tmp_path: Path, kind: type[LeaveOut | RunOnly | RunFirst], ran: list[str]
) -> None:
    """The id that the record has of a test is enough to choose it, and what is secret in it is written nowhere."""
    files = {"test_it.py": """
        import pytest

        def test_first(): pass

        @pytest.mark.parametrize("password", ["Zq7x-Hunter-92k"])
        def test_login(password): pass

        def test_last(): pass
        """}  # fmt: skip
    environ = asked_for(tmp_path, kind(("test_it.py::test_login[***]",)))
    seen = run(tmp_path, files, *PYTEST, environ=environ)
    assert [event["test"].partition("::")[2] for event in seen.of("outcome")] == ran
    assert [event["op"] for event in seen.of("change")] == [kind.op]
    assert "Hunter" not in json.dumps(seen.events)


def asked_for(tmp_path: Path, *interventions: Intervention) -> dict[str, str]:
    """The variable that names the file with interventions; their files are the project's."""
    file = tmp_path / "interventions.json"
    file.write_text(json.dumps([one.placed(str(tmp_path / "project")).as_json() for one in interventions]))
    return {INTERVENTIONS_VARIABLE: str(file)}
