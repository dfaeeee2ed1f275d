"""What the proof of the guard says without a run of pytest: what it compares, what it refuses, what it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from kit.errors import GuardError
from kit.guard import proof
from kit.guard.init import _check, init
from kit.guard.proof import PytestRun, install_command

NAME = "fastapi-database-isolation-kit"


def test_what_is_no_folder_is_named(tmp_path: Path) -> None:
    """A mistyped folder is told before anything is run or written."""
    with pytest.raises(GuardError, match=r"none is not a folder.*name the folder of the project"):
        init(tmp_path / "none", ["test.db"])
    assert list(tmp_path.iterdir()) == []


def test_an_entry_that_is_none_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """An entry that the guard would refuse at the start of every run does not get into the file."""
    with pytest.raises(GuardError) as refused:
        init(tmp_path, ["postgresql://127.0.0.1:port/testdb"])
    assert refused.value.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({"config": None}, r"pytest does not read .*pytest\.ini but None"),
        ({"on": False}, "does not turn the guard on"),
        ({"listed": ("old.db",)}, "does not contain the whole list"),
        ({"tests": ("test_a", "test_new")}, "pytest collects 2 tests, 1 before: test_new"),
        ({"tests": ()}, "pytest collects 0 tests, 1 before: test_a"),
        ({"errors": (("test_b.py", "x\nDatabaseRefused: prod.db"),)},
         r"errors that did not occur before \(refused: DatabaseRefused: prod\.db\)"),
    ],
)  # fmt: skip
def test_what_the_written_file_comes_to_is_compared(tmp_path: Path, after: Mapping[str, Any], said: str) -> None:
    """A file that is not read, is read otherwise, or changes the suite is told with what to do by hand."""
    config = tmp_path / "pytest.ini"
    config.touch()
    right = PytestRun(tmp_path, config, 9, True, ("test.db", "old.db"), ("test_a",))
    _check(right, right, config, ["test.db"])
    with pytest.raises(GuardError, match=said) as refused:
        _check(right, replace(right, **after), config, ["test.db"])
    assert "addopts" in refused.value.remedy


@pytest.mark.parametrize(
    ("recorded", "source"),
    [
        ('{"url": "file:///wheels/kit.whl"}', "/wheels/kit.whl"),
        ('{"url": "https://example.org/kit.git", "vcs_info": {}}', "https://example.org/kit.git"),
        (None, NAME),
    ],
)
def test_the_command_to_install_names_where_the_kit_came_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recorded: str | None, source: str
) -> None:
    """An installation outside a clone is repeated from the file or the address that it came from, else by its name."""
    record = tmp_path / "fastapi_database_isolation_kit-9.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 9\n")
    if recorded is not None:
        (record / "direct_url.json").write_text(recorded)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(proof, "__file__", str(tmp_path / "kit" / "guard" / "proof.py"))
    assert metadata.version(NAME) == "9"
    assert install_command("/venv/bin/python") == f"/venv/bin/python -m pip install {source}"
