"""Whole diagnoses of small projects: what proves a cause, and what only keeps the project from running."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kit.answer.diagnosis import Effect, Status
from kit.detectors.registry import kind_named
from kit.diagnosing.judge import case_of_answer
from kit.diagnosing.plan import plan
from tests.projects import diagnosed, traced, write


def test_a_child_that_crashes_without_its_variable_proves_nothing(tmp_path: Path) -> None:
    """The test goes on whether or not the process that it starts does: only where that led elsewhere counts."""
    project = write(
        tmp_path,
        {
            "worker.py": """
                import os, sqlite3
                sqlite3.connect(os.environ["JOBS_DB"]).execute("create table if not exists jobs (id)")
            """,
            "tests/test_jobs.py": """
                import sqlite3, subprocess, sys

                def test_a_job_is_started():
                    sqlite3.connect("test.db").execute("select 1")
                    subprocess.run([sys.executable, "worker.py"])
            """,
        },
    )
    _, diagnosis = diagnosed(project, allow=["test.db"], JOBS_DB="jobs.db")
    shown = {" and ".join(run.changed): run for run in diagnosis.runs}
    crashed = shown["without the variable JOBS_DB"]
    assert crashed.effect is Effect.VOID
    assert "worker.py, which connected there before, no longer connects to a database" in crashed.reason
    assert diagnosis.status is Status.PROVED
    assert diagnosis.causes[0].changed == "with JOBS_DB naming test.db"


SHOP = {
    "shop.py": """
        import sqlite3
        from fastapi import Depends, FastAPI

        def get_db():
            connection = sqlite3.connect("shop.db", check_same_thread=False)
            yield connection
            connection.close()

        app = FastAPI()

        @app.get("/orders")
        def orders(db=Depends(get_db)): return db.execute("select 1").fetchone()[0]
    """,
    "tests/a/test_a.py": """
        from fastapi.testclient import TestClient
        from shop import app

        def test_orders(): assert TestClient(app).get("/orders").json() == 1
    """,
}
FIXTURE = """
    import sqlite3
    import pytest
    from shop import app, get_db

    def test_db(): return sqlite3.connect("test.db", check_same_thread=False)

    @pytest.fixture(autouse=True)
    def use_test_db():
        app.dependency_overrides[get_db] = test_db
        yield
        app.dependency_overrides.clear()
"""


def test_a_conftest_that_does_not_reach_a_sibling_folder_is_told_and_proved(tmp_path: Path) -> None:
    """With the override of the one folder's fixture kept for the other folder's tests, the wrong database is gone."""
    files = {**SHOP, "tests/b/conftest.py": FIXTURE, "tests/b/test_b.py": SHOP["tests/a/test_a.py"]}
    _, diagnosis = diagnosed(write(tmp_path, files), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    assert (cause.kind, cause.file, cause.line) == ("override-not-in-test", "tests/b/conftest.py", 10)
    assert "applies to the tests in tests/b only, and tests/a/test_a.py is not there" in cause.what
    assert "to tests/conftest.py" in cause.fix


def test_a_fixture_that_is_not_asked_for_is_told_so(tmp_path: Path) -> None:
    """Where its file counts for the test, it is the test that does without it."""
    asked = SHOP["tests/a/test_a.py"].replace("test_orders()", "test_orders(use_test_db)")
    fixture = FIXTURE.replace("autouse=True", "")
    files = {**SHOP, "tests/conftest.py": fixture, "tests/b/test_b.py": asked}
    (finding,) = [
        one for one in traced(write(tmp_path, files), allow=["test.db"]).findings if one.kind == "override-not-in-test"
    ]
    assert "these tests do not request the fixture, or a nearer one has its name. shop.db answered." in finding.message
    assert "request use_test_db" in kind_named(finding.kind).advice(finding)


def test_a_fixture_of_the_same_name_that_is_nearer_is_named(tmp_path: Path) -> None:
    """The test asks for the fixture, and gets its module's own: that one is to ask for the other."""
    fixture = FIXTURE.replace("autouse=True", "")
    own = """
        import pytest
        from fastapi.testclient import TestClient
        from shop import app

        @pytest.fixture
        def use_test_db(): return None

        def test_orders(use_test_db): assert TestClient(app).get("/orders").json() == 1
    """
    asked = SHOP["tests/a/test_a.py"].replace("test_orders()", "test_orders(use_test_db)")
    files = {**SHOP, "tests/conftest.py": fixture, "tests/a/test_a.py": own, "tests/b/test_b.py": asked}
    project = write(tmp_path, files)
    answer = traced(project, allow=["test.db"])
    (candidate,) = [
        one
        for one in plan(case_of_answer(answer), answer.findings, lambda file: text_in(project, file), {}).all
        if one.kind == "override-not-in-test"
    ]
    assert candidate.fix.startswith("The fixture use_test_db at tests/a/test_a.py:7 replaces the one at")


def test_an_override_that_is_taken_back_before_its_test_is_told_and_proved(tmp_path: Path) -> None:
    """The fixture returns its client when the block that had set the override is over."""
    tests = """
        import sqlite3
        from contextlib import contextmanager
        import pytest
        from fastapi.testclient import TestClient
        from shop import app, get_db

        @contextmanager
        def overridden(key, by):
            app.dependency_overrides[key] = by
            yield
            app.dependency_overrides.pop(key)

        @pytest.fixture
        def client():
            with overridden(get_db, lambda: sqlite3.connect("test.db", check_same_thread=False)):
                return TestClient(app)

        def test_orders(client): assert client.get("/orders").json() == 1
    """
    _, diagnosis = diagnosed(write(tmp_path, {"shop.py": SHOP["shop.py"], "test_it.py": tests}), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    assert (cause.kind, cause.file, cause.line) == ("override-taken-back", "test_it.py", 12)
    assert "yield inside the `with`" in cause.fix


def text_in(project: Path, file: str) -> str | None:
    path = project / file
    return path.read_text() if path.is_file() else None


def test_a_connection_past_everything_is_led_elsewhere_and_told_with_where_its_place_came_from(tmp_path: Path) -> None:
    """A file that the application opens by itself is proved, too, and it is said that no setting leads there."""
    files = {name: text.replace("Depends(get_db)", "None") for name, text in SHOP.items()}
    files["shop.py"] = files["shop.py"].replace("db.execute", 'sqlite3.connect("shop.db").execute')
    _, diagnosis = diagnosed(write(tmp_path, files), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    assert diagnosis.causes[0].changed == "with the connection of shop.py:13 redirected"
    assert "its URL comes from no variable and no settings file" in diagnosis.causes[0].what


PAST = {
    "app/main.py": """
        import os, sqlite3
        from fastapi import Depends, FastAPI
        from sqlalchemy import create_engine, text

        URL = os.environ.get("DATABASE_URL", "sqlite:///test.db")
        engine = create_engine(URL)

        def get_db():
            with engine.connect() as connection:
                yield connection

        def get_file():
            connection = sqlite3.connect(URL.partition(":///")[2], check_same_thread=False)
            yield connection
            connection.close()

        app = FastAPI()

        def by_engine():
            with engine.connect() as connection:
                connection.execute(text("select 1"))

        def by_file():
            sqlite3.connect(os.environ.get("DATABASE_URL", "///test.db").partition("///")[2]).execute("select 1")

        @app.get("/engine")
        def one(db=Depends(get_db)):
            by_engine()
            return db.execute(text("select 1")).scalar()

        @app.get("/file")
        def other(db=Depends(get_file)):
            by_file()
            return db.execute("select 1").fetchone()[0]
    """,
    "tests/conftest.py": """
        import sqlite3
        import pytest
        from sqlalchemy import create_engine
        from app.main import app, get_db, get_file

        engine = create_engine("sqlite:///test.db")

        def get_test_db():
            with engine.connect() as connection:
                yield connection

        def get_test_file():
            connection = sqlite3.connect("test.db", check_same_thread=False)
            yield connection
            connection.close()

        @pytest.fixture(autouse=True)
        def overridden():
            app.dependency_overrides = {get_db: get_test_db, get_file: get_test_file}
            yield
            app.dependency_overrides = {}
    """,
}


@pytest.mark.parametrize(("way", "line"), [("engine", 22), ("file", 25)])
def test_a_variable_and_what_goes_past_the_override_are_both_told(tmp_path: Path, way: str, line: int) -> None:
    """A variable that names the wrong database and a connection that bypasses the override are both causes."""
    test = f"""
        from fastapi.testclient import TestClient
        from app.main import app

        def test_it(): assert TestClient(app).get("/{way}").json() == 1
    """
    project = write(tmp_path, {**PAST, "tests/test_it.py": test})
    _, diagnosis = diagnosed(project, allow=["test.db"], DATABASE_URL="sqlite:///prod.db")
    assert diagnosis.status is Status.PROVED
    causes = {(cause.kind, cause.line): cause.changed for cause in diagnosis.causes}
    assert causes["session-past-dependencies", line].startswith(f"with the connection of by_{way}()"), causes
    assert "without the variable DATABASE_URL" in causes.values(), causes


def test_a_test_that_misleads_others_is_proved_under_unittest(tmp_path: Path) -> None:
    """Without the test that takes a variable away for good the others stay where they belong, under unittest, too."""
    project = write(
        tmp_path,
        {
            "shop.py": """
                import os, sqlite3

                def orders():
                    return sqlite3.connect(os.environ.get("SHOP_DB", "prod.db")).execute("select 1").fetchall()
            """,
            "test_a.py": """
                import os, unittest

                os.environ["SHOP_DB"] = "test.db"

                class Default(unittest.TestCase):
                    def test_the_default(self):
                        del os.environ["SHOP_DB"]
            """,
            "test_b.py": """
                import unittest
                from shop import orders

                class Orders(unittest.TestCase):
                    def test_no_orders(self):
                        self.assertTrue(orders())
            """,
        },
    )
    _, diagnosis = diagnosed(project, command=(sys.executable, "-m", "unittest"), allow=["test.db"])
    assert diagnosis.status is Status.PROVED, diagnosis.runs
    shown = {" and ".join(run.changed): run.effect for run in diagnosis.runs}
    assert shown["without test_a.py::Default::test_the_default"] is Effect.GONE, shown
