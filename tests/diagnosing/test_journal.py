"""What runs have shown is used once more where nothing has changed, and only there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kit.diagnosing.journal import KEPT_S, Journal, RunResult, opened

GONE, STAYS = RunResult("gone", "not reached", 1.5, True, ("a",), ("t",)), RunResult("stays", "reached", 0.5)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def test_runs_are_known_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    """A run that was made twice is known twice; one with other changes, or other tests left out, is not."""
    first = opened(tmp_path, {"tests": 3})
    for shown in (GONE, STAYS):
        first.add(["x"], ["with a"], shown)
    again = opened(tmp_path, {"tests": 3})
    assert [again.take(["x"], ["with a"]) for _ in range(3)] == [GONE, STAYS, None]
    assert again.take([], ["with a"]) is None
    assert again.take(["x"], ["with b"]) is None


@pytest.mark.parametrize("changed", ["a text", "a new text", "what it is about", "the folder"])
def test_nothing_is_known_once_something_has_changed(tmp_path: Path, changed: str) -> None:
    """A text of the project, its folder, what the first run showed: each makes it another diagnosis."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "db.py").write_text("URL = 1\n")
    opened(tmp_path, {"tests": 3}).add([], [], GONE)
    if changed == "a text":
        (tmp_path / "app" / "db.py").write_text("URL = 2\n")
    if changed == "a new text":
        (tmp_path / ".env").write_text("URL=2\n")
    about = {"tests": 4} if changed == "what it is about" else {"tests": 3}
    assert opened(tmp_path / "app" if changed == "the folder" else tmp_path, about).take([], []) is None


def test_nothing_is_left_of_a_diagnosis_that_came_to_its_end(tmp_path: Path, cache: Path) -> None:
    """Its file is removed, and so is one that was never gone on with, after a day."""
    journal = opened(tmp_path, 1)
    journal.add([], [], GONE)
    journal.end()
    old = opened(tmp_path, 2)
    old.add([], [], GONE)
    assert old.file is not None
    then = time.time() - KEPT_S - 60
    os.utime(old.file, (then, then))
    opened(tmp_path, 3)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_diagnosis_that_begins_afresh_knows_nothing(tmp_path: Path) -> None:
    """With `fresh` what was kept is removed."""
    opened(tmp_path, 1).add([], [], GONE)
    assert opened(tmp_path, 1, fresh=True).take([], []) is None
    assert opened(tmp_path, 1).take([], []) is None


def test_what_was_cut_is_left_aside(tmp_path: Path) -> None:
    """A line that was not written to its end is no answer, and the ones before it are."""
    journal = opened(tmp_path, 1)
    journal.add([], [], GONE)
    assert journal.file is not None
    with journal.file.open("ab") as file:
        file.write(b'["0123", ["st')
    assert opened(tmp_path, 1).take([], []) == GONE


def test_it_is_for_this_user_alone_and_has_no_text_of_the_project(tmp_path: Path) -> None:
    """The file's mode is 0600, and its name and content are digests and what is shown on the screen."""
    (tmp_path / ".env").write_text("PASSWORD=hunter2\n")
    journal = opened(tmp_path, {"environment": [("PASSWORD", "hunter2")]})
    journal.add([], [], GONE)
    assert journal.file is not None
    assert journal.file.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in journal.file.read_text() + journal.file.name


def test_without_a_cache_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cache cannot be made, a diagnosis runs as it would without one."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    journal = opened(tmp_path, 1)
    journal.add([], [], GONE)
    assert opened(tmp_path, 1).take([], []) is None
    assert Journal().take([], []) is None


def test_a_user_without_a_home_has_no_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no folder for it nothing is kept, and the diagnosis goes on."""
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.setattr(Path, "home", _no_home)
    monkeypatch.setattr(Path, "expanduser", _no_home)
    assert opened(tmp_path, {}) == Journal()


def _no_home(*_: object) -> Path:
    raise RuntimeError("Could not determine home directory.")
