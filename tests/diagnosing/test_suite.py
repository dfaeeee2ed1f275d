"""The suite that a notebook diagnoses, of the user's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kit.diagnosing.suite import suite
from kit.errors import TraceError


def test_a_folder_of_the_users_is_taken_as_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The home may be written ~, words may be quoted, entries have commas between; nothing is written there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "project").mkdir()
    found = suite("~/project", "pytest -k 'a or b'", " test.db, :memory: ,", None)
    assert (found.command, found.folder) == (("pytest", "-k", "a or b"), (tmp_path / "project").resolve())
    assert (found.allow, found.environ) == (("test.db", ":memory:"), dict(os.environ))
    assert list((tmp_path / "project").iterdir()) == []


def test_what_is_no_folder_is_named(tmp_path: Path) -> None:
    """A mistyped parameter is told with its name, before anything is run."""
    with pytest.raises(TraceError, match=r"none is not a folder.*set `project` to it"):
        suite(str(tmp_path / "none"), "pytest", "", None)
