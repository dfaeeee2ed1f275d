"""Of a large suite few tests are run again and again, and all of them once; what was stopped goes on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kit.answer.diagnosis import Effect, Status
from kit.diagnosing.budget import Budget
from kit.diagnosing.command import Diagnosing
from kit.diagnosing.reruns import Guard, Limits, Reruns
from tests.projects import PYTEST, diagnosed, write

KIT = Path(__file__).parents[2]

# Forty tests that read by the one way, and forty by the other; the tests set one variable only.
STORES = {
    "stores.py": """
        import os, sqlite3

        def books():
            return sqlite3.connect(os.environ.get("BOOKS_DB", "live.db")).execute("select 1").fetchall()

        def films():
            return sqlite3.connect(os.environ.get("FILMS_DB", "live.db")).execute("select 2").fetchall()
    """,
    "tests/conftest.py": "import os\nos.environ['BOOKS_DB'] = 'test.db'\n",
    "tests/test_stores.py": """
        import pytest
        from stores import books, films

        @pytest.mark.parametrize("number", range(40))
        def test_books(number):
            assert books()

        @pytest.mark.parametrize("number", range(40))
        def test_films(number):
            assert films()
    """,
}


def test_reruns_take_one_test_and_the_proof_takes_all(tmp_path: Path) -> None:
    """What is tried is tried on one test of forty that are affected; the cause is confirmed once with all tests."""
    _, diagnosis = diagnosed(write(tmp_path, STORES), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    assert {(cause.file, cause.line) for cause in diagnosis.causes} == {("stores.py", 8)}
    *few, last = diagnosis.runs
    assert {run.left_out for run in few} == {79}
    assert (last.left_out, last.effect) == (0, Effect.GONE)
    assert few[0].changed == ()


def test_two_reasons_of_tests_that_meet_in_one_line_are_two_causes(tmp_path: Path) -> None:
    """One line opens it in two tests, for a reason of each: both of their lines are named and proved."""
    files = {**STORES, "stores.py": """
        import os, sqlite3

        def path(name):
            return os.environ.get(name, "live.db")

        def read(name):
            return sqlite3.connect(path(name)).execute("select 1").fetchall()

        def books():
            return read("BOOKS_DB")

        def films():
            return read("FILMS_DB")
    """, "tests/conftest.py": """
        import os, pytest
        os.environ["BOOKS_DB"] = os.environ["FILMS_DB"] = "test.db"

        @pytest.fixture
        def no_books(monkeypatch):
            monkeypatch.delenv("BOOKS_DB")

        @pytest.fixture
        def no_films(monkeypatch):
            monkeypatch.setenv("FILMS_DB", "live.db")
    """, "tests/test_stores.py": """
        import pytest
        from stores import books, films

        @pytest.mark.parametrize("number", range(40))
        def test_books(number):
            assert books()

        def test_without_books(no_books):
            assert books()

        @pytest.mark.parametrize("number", range(40))
        def test_films(number):
            assert films()

        def test_live_films(no_films):
            assert films()
    """}  # fmt: skip
    _, diagnosis = diagnosed(write(tmp_path, files), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    assert {cause.file for cause in diagnosis.causes} == {"tests/conftest.py"}
    assert {cause.line for cause in diagnosis.causes} == {7, 11}
    last = diagnosis.runs[-1]
    assert (len(last.changed), last.left_out, last.effect) == (2, 0, Effect.GONE)


def test_causes_of_different_tests_are_confirmed_in_one_run(tmp_path: Path) -> None:
    """Each is looked into with one test, and one run of all tests does without all of them."""
    files = {**STORES, "tests/test_own.py": """
        import sqlite3

        def test_own():
            assert sqlite3.connect("live.db").execute("select 3").fetchall()
    """}  # fmt: skip
    _, diagnosis = diagnosed(write(tmp_path, files), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    assert {(cause.file, cause.line) for cause in diagnosis.causes} == {("stores.py", 8), ("tests/test_own.py", 5)}
    assert [run.left_out for run in diagnosis.runs] == [80, 80, 80, 80, 0]
    assert len(diagnosis.runs[-1].changed) == 2


def test_a_small_suite_is_run_as_a_whole(tmp_path: Path) -> None:
    """Where a selection spares next to nothing, every run has all tests."""
    files = {**STORES, "tests/test_stores.py": STORES["tests/test_stores.py"].replace("range(40)", "range(2)")}
    _, diagnosis = diagnosed(write(tmp_path, files), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    assert {run.left_out for run in diagnosis.runs} == {0}


def start(folder: Path, cache: Path, *options: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONPATH": str(KIT), "XDG_CACHE_HOME": str(cache)}
    command = ["diagnose", "--allow", "test.db", *options, "--", *PYTEST]
    return subprocess.Popen(
        [sys.executable, "-c", "from kit.cli import main; main()", *command], cwd=folder, env=environ, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def interrupted(process: subprocess.Popen[str], at: str, number: signal.Signals) -> str:
    """Send a signal once a line of the progress begins so, and return what is then told."""
    assert process.stderr is not None
    assert process.stdout is not None
    for line in process.stderr:
        if line.startswith(at):
            process.send_signal(number)
            break
    told = process.stdout.read()
    process.stderr.close()
    process.stdout.close()
    process.wait(60)
    return told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_diagnosis_tells_what_it_knows_and_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    """What was shown is told, and the same command makes only the runs that were not made; nothing is kept then."""
    project, cache = write(tmp_path / "project", STORES), tmp_path / "cache"
    process = start(project, cache)
    told = interrupted(process, "kit: run 3", number)
    assert process.returncode == (130 if number is signal.SIGINT else 143 if number is signal.SIGTERM else -number)
    if number is not signal.SIGKILL:
        assert told.startswith("UNRESOLVED")
        said = " ".join(told.split())
        assert "Stopped after 2 runs: it was interrupted. To go on from there, run the same command again" in said
        assert "\nrun 2, " in told
    (kept,) = cache.rglob("*.jsonl")
    lines = kept.read_text().splitlines()
    assert len(lines) == 2
    more = start(project, cache)
    said, progress = more.communicate(timeout=120)
    assert (more.returncode, said.startswith("PROVED")) == (1, True)
    assert progress.count("already run by the diagnosis that was stopped") == 2
    assert not list(cache.rglob("*.jsonl"))


def test_a_diagnosis_that_begins_afresh_makes_all_runs(tmp_path: Path) -> None:
    """With --fresh nothing is taken from what was stopped."""
    project, cache = write(tmp_path / "project", STORES), tmp_path / "cache"
    interrupted(start(project, cache), "kit: run 3", signal.SIGINT)
    more = start(project, cache, "--fresh")
    said, progress = more.communicate(timeout=120)
    assert (more.returncode, said.startswith("PROVED")) == (1, True)
    assert "known from" not in progress


@pytest.mark.parametrize("runs", [0, 1, 2])
def test_a_budget_that_is_spent_ends_the_runs_and_proves_nothing(tmp_path: Path, runs: int) -> None:
    """After so many runs the time is up: what they showed is told, and no cause is proved before it was confirmed."""
    project = write(tmp_path, STORES)
    passed = 0.0
    reruns = Reruns(
        PYTEST, ("test.db",), Guard(), Limits(600, None, Budget(30, lambda: passed)), project, dict(os.environ)
    )
    with reruns:
        looking = Diagnosing(reruns)
        looking.begin()

        def keep(left_out: object, labels: object) -> None:
            nonlocal passed
            passed = 1800 if len(looking.runs) >= runs else 0

        looking.journal.take = keep  # type: ignore[assignment,method-assign]
        diagnosis = looking.diagnose()
    assert diagnosis.status is Status.UNRESOLVED
    assert diagnosis.causes == ()
    assert len(diagnosis.runs) == runs
    assert diagnosis.unproved[0].startswith(f"Stopped after {runs} run")
    assert "the 30 min of --budget are spent" in diagnosis.unproved[0]
