"""A proof is a run in which what shows the symptom still ran: small projects, each beside another cause."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kit.answer.diagnosis import Effect, Status
from tests.projects import PYTEST, diagnosed, write

KIT = Path(__file__).parents[2]

LEDGER = {
    "ledger.py": """
        import os, sqlite3

        def entries():
            return sqlite3.connect(os.environ.get("LEDGER_DB", "live.db")).execute("select 1").fetchall()
    """,
    "tests/conftest.py": "import os\nos.environ['LEDGER_DB'] = 'test.db'\n",
    "tests/test_entries.py": """
        import sqlite3
        from ledger import entries

        def test_entries():
            assert entries()

        def test_the_old_books():
            assert sqlite3.connect("live.db").execute("select 1").fetchall()
    """,
}


def test_what_a_test_opens_by_itself_is_proved_at_its_line(tmp_path: Path) -> None:
    """The test runs on, and what its line connects to is led to the tests' database: it is never left out."""
    _, diagnosis = diagnosed(write(tmp_path, LEDGER), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    assert (cause.kind, cause.file, cause.line) == ("opened-by-the-tests", "tests/test_entries.py", 9)
    assert cause.changed == "with the connections of tests/test_entries.py:9 redirected"
    assert not any("without tests/" in label for run in diagnosis.runs for label in run.changed)
    assert diagnosis.happened == (
        "tests/test_entries.py::test_the_old_books reads live.db because tests/test_entries.py:9 opens it by itself."
    )


def test_where_the_application_opens_it_no_line_of_the_tests_is_blamed(tmp_path: Path) -> None:
    """The same suite, but the application goes to live.db: the test's own line has no part in it."""
    files = {**LEDGER, "tests/conftest.py": ""}
    files["tests/test_entries.py"] = files["tests/test_entries.py"].replace('"live.db"', '"test.db"')
    _, diagnosis = diagnosed(write(tmp_path, files), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    assert {cause.file for cause in diagnosis.causes} == {"ledger.py"}


# Two engines of one application, each with a variable of its own; the tests set one of them.
REPLICA = {
    "farm/__init__.py": "",
    "farm/db.py": """
        import os
        from functools import lru_cache
        from sqlalchemy import create_engine, text

        @lru_cache
        def engine(which):
            return create_engine(os.environ[which.upper() + "_DB"])

        def ask(which):
            with engine(which).connect() as connection:
                return connection.execute(text("select 1")).scalar()
    """,
    "tests/test_farm.py": """
        import os
        import pytest
        from farm.db import ask

        @pytest.fixture(autouse=True)
        def primary(monkeypatch):
            monkeypatch.setenv("PRIMARY_DB", "sqlite:///test.db")
            assert ask("primary") == 1

        def test_replica():
            assert ask("replica") == 1
    """,
}


def test_two_variables_of_two_engines_do_not_compete(tmp_path: Path) -> None:
    """The replica's engine would never have taken the primary's variable: the cause is the replica's.

    Without that variable the engine cannot be made, which ends the test before its line: that run says nothing.
    """
    project = write(tmp_path, REPLICA)
    live = "sqlite:///live.db"
    answer, diagnosis = diagnosed(project, allow=["test.db"], PRIMARY_DB=live, REPLICA_DB=live)
    assert "variable-precedence" not in {finding.kind for finding in answer.findings}
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    assert cause.kind == "variable-inherited"
    assert "sets PRIMARY_DB, and not REPLICA_DB" in cause.what
    shown = {run.changed[0]: run for run in diagnosis.runs if run.changed}
    died = shown["without the variable REPLICA_DB"]
    assert (died.effect, "no longer connects to a database" in died.reason) == (Effect.VOID, True)
    assert cause.to_change[0].startswith("Tried in run 3, and no test that had passed failed: with REPLICA_DB naming")


def test_one_engine_that_prefers_a_variable_to_another_is_told_so(tmp_path: Path) -> None:
    """Where one engine takes the first of two variables, the sentence names who wrote it and what it goes before."""
    files = {
        "app.py": """
            import os, sqlite3

            def ask():
                url = os.environ.get("LIVE_DB") or os.environ["DB"]
                return sqlite3.connect(url).execute("select 1").fetchone()
        """,
        "conftest.py": "import os\nos.environ['DB'] = 'test.db'\n",
        "test_it.py": "from app import ask\n\ndef test_it():\n    assert ask()\n",
        "run.sh": f"export LIVE_DB=live.db\nexec {sys.executable} -m pytest -q -p no:pytest_fastapi_deps\n",
    }
    _, diagnosis = diagnosed(write(tmp_path, files), allow=["test.db"], command=("sh", "run.sh"))
    assert diagnosis.status is Status.PROVED
    assert diagnosis.happened == (
        "test_it.py::test_it reads live.db because run.sh:1 exports LIVE_DB, and app.py:5 prefers it to DB."
    )
    assert diagnosis.causes[0].to_change[0] == (
        "Tried in run 2, and no test that had passed failed: without the variable LIVE_DB."
    )
    assert diagnosis.causes[0].to_change[1].startswith("Untried: Remove LIVE_DB from run.sh:1.")


@pytest.mark.parametrize("options", [["--dry-run"], ["--format", "github"]])
def test_a_wrong_database_is_told_by_every_way_out(tmp_path: Path, options: list[str]) -> None:
    """A dry run that reached a wrong database does not end as if nothing were wrong; GitHub is shown the diagnosis."""
    write(tmp_path, LEDGER)
    command = [sys.executable, "-m", "kit", "diagnose", "--allow", "test.db", *options, "--", *PYTEST]
    environ = {"PYTHONPATH": str(KIT), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert done.returncode == (3 if "--dry-run" in options else 1), done.stderr
    if "--dry-run" not in options:
        beside = "::error file=tests/test_entries.py,line=9,title=Database isolation%3A proved%2C opened-by-the-tests"
        assert beside in done.stdout
        assert "redirected: gone." in done.stdout


def test_an_unchanged_run_that_is_ended_is_told_as_what_it_is(tmp_path: Path) -> None:
    """A re-run that comes to its time limit says nothing of how often it happens."""
    files = {
        **LEDGER,
        "tests/test_later.py": """
            import pathlib, select

            def test_waits_the_second_time():
                seen = pathlib.Path.cwd().with_suffix(".seen")  # all in the project is put back between runs
                if seen.exists():
                    select.select([], [], [])
                seen.touch()
        """,
    }
    from kit.diagnosing import diagnose

    project = write(tmp_path, files)
    environ = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    _, diagnosis = diagnose(PYTEST, ["*.db"], folder=project, environ=environ, timeout_s=15, stop=False)
    assert diagnosis.status is Status.CLEAN
    project.with_suffix(".seen").unlink()
    _, diagnosis = diagnose(PYTEST, ["test.db"], folder=project, environ=environ, timeout_s=15, yes=True)
    assert diagnosis.status is Status.UNRESOLVED
    assert any("The unchanged re-run was inconclusive" in one and "time limit" in one for one in diagnosis.unproved)
    assert not any("intermittent" in one for one in diagnosis.unproved)


def test_a_variable_that_a_test_takes_from_the_script_is_one_cause(tmp_path: Path) -> None:
    """That a sourced file exports it, that the test opens it, and that nothing else names one, is told once."""
    files = {
        "env.sh": "export DB=sqlite:///live.db\n",
        "run.sh": f". ./env.sh\nexec {sys.executable} -m pytest -q -p no:pytest_fastapi_deps\n",
        "test_it.py": """
            import os
            from sqlalchemy import create_engine, text

            engine = create_engine(os.environ.get("DB", "sqlite:///test.db"))

            def test_it():
                with engine.connect() as connection:
                    assert connection.execute(text("select 1")).scalar() == 1
        """,
    }
    _, diagnosis = diagnosed(write(tmp_path, files), allow=["test.db"], command=("sh", "run.sh"))
    assert diagnosis.status is Status.PROVED
    assert diagnosis.happened == (
        "test_it.py::test_it reads live.db because env.sh:1, which run.sh:1 reads, exports DB, "
        "which is read at test_it.py:5."
    )
    (cause,) = diagnosis.causes
    assert cause.what.endswith("env.sh:1, which run.sh:1 reads, exports DB.")
    assert cause.to_change[0].endswith("without the variable DB.")
    assert diagnosis.unproved == ()
