from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from kit.answer.diagnosis import Diagnosis, Status
from kit.diagnosing import diagnose
from tests.projects import LIGHT

STORE = """
import functools, os
CONFIG = {"debug": False}
NAMES = []
@functools.lru_cache
def limit():
    return os.environ.get("LIMIT", "10")
"""
FIRST = """
import os, pytest, store
def test_one(): pass
@pytest.fixture
def debugging():
    store.CONFIG["debug"] = True  # <- debug
    yield
def test_debug(debugging): pass
def test_register():
    store.NAMES.append("x")  # <- names
def test_limit(monkeypatch):
    monkeypatch.setenv("LIMIT", "99")
    assert store.limit() == "99"  # <- limit
def test_variable():
    os.environ["SHOP"] = "x"  # <- variable
def test_elsewhere(tmp_path):
    os.chdir(tmp_path)  # <- folder
"""
SECOND = """
import os, store
def test_not_debugging(): assert not store.CONFIG["debug"]
def test_no_names(): assert store.NAMES == []
def test_ten(): assert store.limit() == "10"
def test_here(): assert os.path.exists("store.py")
def test_no_variable(): assert "SHOP" not in os.environ
def test_has_names(): assert store.NAMES
def test_never(): assert 0
def test_not_collected_after_it(): assert not hasattr(store, "late")
"""
THIRD = """
import store
store.late = True  # <- late
def test_late(): pass
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("order")
    for name, text in {"store": STORE, "test_first": FIRST, "test_second": SECOND, "test_third": THIRD}.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "conftest.py").touch()
    return folder


def diagnosed(project: Path, test: str, *arguments: str) -> Diagnosis:
    command = [sys.executable, "-m", "pytest", *LIGHT, "-p", "no:randomly", *arguments]
    return diagnose(command, (), folder=project, tests=[f"test_second.py::{test}"])[1]


def line_of(text: str, mark: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.endswith(f"# <- {mark}"))


def cause_of(found: Diagnosis) -> dict[str, Any]:
    assert found.status is Status.PROVED, found
    (cause,) = found.causes
    return {"kind": cause.kind, "at": (cause.file, cause.line), "what": cause.what}


def test_a_fixture_that_changes_a_dictionary(project: Path) -> None:
    """The polluter, the entry that it leaves and the fixture's line are named, and the test passes with it put back."""
    found = diagnosed(project, "test_not_debugging")
    cause = cause_of(found)
    assert cause["kind"] == "state-left-by-test"
    assert cause["at"] == ("test_first.py", line_of(FIRST, "debug"))
    assert "test_first.py::test_debug changes store.CONFIG['debug'] from False to True" in cause["what"]
    assert "monkeypatch.setitem(store.CONFIG, 'debug', ...)" in found.causes[0].fix
    assert found.unproved == ()


@pytest.mark.parametrize(
    ("test", "place", "mark"),
    [
        ("test_no_names", "store.NAMES", "names"),
        ("test_ten", "store.limit", "limit"),
        ("test_here", "the process's working directory", "folder"),
        ("test_no_variable", "os.environ['SHOP']", "variable"),
    ],
)
def test_other_pieces_of_state(project: Path, test: str, place: str, mark: str) -> None:
    """A list that is changed in place, a cache that is filled and a folder that is left are each found with a line."""
    found = diagnosed(project, test)
    cause = cause_of(found)
    assert (cause["kind"], cause["at"]) == ("state-left-by-test", ("test_first.py", line_of(FIRST, mark)))
    assert place in cause["what"]
    assert found.unproved == ()


def test_a_test_that_needs_another(project: Path) -> None:
    """A test that passes only after another is said to need it, with the piece of state that it needs."""
    cause = cause_of(diagnosed(project, "test_has_names"))
    assert (cause["kind"], cause["at"]) == ("state-needed-from-test", ("test_first.py", line_of(FIRST, "names")))


def test_a_module_that_is_collected(project: Path) -> None:
    """A module that changes state as it is imported is told from a test that does."""
    cause = cause_of(diagnosed(project, "test_not_collected_after_it"))
    assert (cause["kind"], cause["at"]) == ("state-left-by-collection", ("test_third.py", line_of(THIRD, "late")))


def test_a_test_that_fails_alone_too(project: Path) -> None:
    """A test that fails alone has no isolation problem: nothing is claimed."""
    found = diagnosed(project, "test_never")
    assert (found.status, found.causes) == (Status.UNRESOLVED, ())
    assert "fails alone, too" in found.happened


def test_workers_are_not_started(project: Path) -> None:
    """Where the command has workers of pytest-xdist, the tests are run one after the other in one process."""
    cause = cause_of(diagnosed(project, "test_not_debugging", "-n", "1"))
    assert "store.CONFIG['debug']" in cause["what"]
