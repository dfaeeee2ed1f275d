"""A suite under --db-guard, as a notebook runs it: who was refused, and what the guard said."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kit.diagnosing.guarded import guarded
from kit.diagnosing.suite import Suite, suite
from kit.errors import TraceError

TESTS = """
import sqlite3

import pytest


def test_allowed(tmp_path):
    sqlite3.connect("test.db").close()


def test_refused():
    sqlite3.connect("production.db").close()


def test_catches_it():
    try:
        sqlite3.connect("production.db").close()
    except Exception:
        pass


@pytest.fixture
def report():
    return sqlite3.connect("production.db")


def test_of_a_fixture(report):
    pass


def test_fails():
    assert sqlite3.connect("test.db") is None


@pytest.mark.skip
def test_skipped():
    pass


class TestShop:
    class TestTill:
        @pytest.mark.parametrize("name", ["production.db"])
        def test_of_a_class(self, name):
            sqlite3.connect(name).close()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A project with a test for each outcome."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a kernel does
    (tmp_path / "test_it.py").write_text(TESTS)
    return suite(str(tmp_path), f"{sys.executable} -m pytest -p no:cacheprovider", "test.db, it's here.db", None)


def test_each_refused_test_has_the_guards_sentence(project: Suite) -> None:
    """Whoever asks, in a test or a fixture, and whoever catches the refusal, is named with the line that asked."""
    found = guarded(project)
    names = {f"test_it.py::test_{name}" for name in ("refused", "catches_it", "of_a_fixture")}
    assert set(found.refused) == {*names, "test_it.py::TestShop::TestTill::test_of_a_class[production.db]"}
    assert all("production.db" in said and "not on the allow-list" in said for said in found.refused.values())
    said = found.refused["test_it.py::test_refused"]
    assert said.startswith("test_it.py:12 test_refused requested")
    assert said.endswith("allow it: production.db")  # pytest shortens it elsewhere
    assert (found.failed, found.passed) == (("test_it.py::test_fails",), ("test_it.py::test_allowed",))


def test_the_suite_is_left_as_it_was(project: Suite) -> None:
    """The guard is switched on by the environment: no file of the project is changed."""
    before = {path.name for path in project.folder.iterdir() if path.suffix != ".db" and path.name != "__pycache__"}
    guarded(replace(project, environ={**project.environ, "PYTHONDONTWRITEBYTECODE": "1"}))
    after = {path.name for path in project.folder.iterdir() if path.suffix != ".db"}
    assert after == before
    assert (project.folder / "test_it.py").read_text() == TESTS


def test_the_options_of_the_environment_stay(project: Suite) -> None:
    """What PYTEST_ADDOPTS selects is what is guarded."""
    found = guarded(replace(project, environ={**project.environ, "PYTEST_ADDOPTS": "-k 'catches_it or allowed'"}))
    assert (list(found.refused), found.passed) == (["test_it.py::test_catches_it"], ("test_it.py::test_allowed",))


def test_a_command_that_runs_no_pytest_is_told(project: Suite) -> None:
    """Without a report nothing can be said of the tests."""
    with pytest.raises(TraceError, match="wrote no report"):
        guarded(replace(project, command=(sys.executable, "-c", "pass")))
