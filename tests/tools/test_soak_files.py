"""What is asked of a command that was ended at some moment can be answered with no."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules of the tool, by their names."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import soak_files
    import soak_kills

    return {"files": soak_files, "kills": soak_kills}


def rows(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany("insert into site values (?)", [(one,) for one in range(number)])


def test_files_that_are_as_they_should_be_are_right(tools: Any, tmp_path: Path) -> None:
    """As they were made; with the row of one run, the configuration of a command that is done, and a whole answer."""
    files = tools["files"].made(tmp_path / "project")
    assert files.wrong("") == []
    rows(files.folder / "allowed.db", 1)
    (files.folder / "pytest.ini").write_text("[pytest]\naddopts = --db-guard\n")
    (files.folder / "answer.json").write_text("{}")
    (files.folder / "work").mkdir()
    (files.folder / "work" / "01.ipynb").write_text("{}")
    assert files.wrong(files.config) == []
    (files.folder / "work" / "01.ipynb").write_text('{"cells": [')
    assert files.wrong(files.config) == ["01.ipynb is not whole"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("notes.txt", "another", "notes.txt is another"),
        ("other.db", "", "other.db is another"),
        ("pytest.ini", "[pytest]\naddo", "pytest.ini is neither the old nor the new one"),
        ("allowed.db", "damaged" * 1000, "allowed.db has -1 rows"),
        (".pytest.ini-ab12cd34", "", "pytest.ini has come"),
        ("answer.json", '{"format": ', "answer.json is not whole"),
        ("answer.html", "<html>", "answer.html is not whole"),
        ("output.ipynb", '{"cells": [', "output.ipynb is not whole"),
    ],
)
def test_each_file_that_is_wrong_is_said(tools: Any, tmp_path: Path, name: str, text: str, said: str) -> None:
    """A reader's file that is another, a half-written one, one that has come."""
    files = tools["files"].made(tmp_path / "project")
    (files.folder / name).write_text(text)
    assert files.wrong("") == [said]


def test_what_a_later_run_wrote_is_seen(tools: Any, tmp_path: Path) -> None:
    """More rows than one run leaves."""
    files = tools["files"].made(tmp_path / "project")
    rows(files.folder / "allowed.db", 2)
    assert files.wrong("") == ["allowed.db has 3 rows"]


@pytest.mark.parametrize(
    ("name", "number", "code", "said", "right"),
    [
        ("up", signal.SIGTERM, 143, "", True), ("up", signal.SIGTERM, -15, "", True),
        ("up", signal.SIGTERM, 0, "The pair is up", True), ("up", signal.SIGTERM, 0, "", False),
        ("up", signal.SIGTERM, 1, "The pair is up", False), ("up", signal.SIGINT, 143, "", False),
        ("diagnose", signal.SIGINT, 1, "PROVED", True), ("diagnose", signal.SIGINT, 1, "Traceback", False),
        ("papermill", signal.SIGTERM, 1, "", True), ("papermill", signal.SIGKILL, 1, "", False),
    ],
)  # fmt: skip
def test_an_exit_code_is_that_of_the_signal_or_of_the_end(
    tools: Any, name: str, number: signal.Signals, code: int, said: str, right: bool
) -> None:
    """Any other code is wrong: above all that of a command which says that it did what it did not."""
    command = tools["kills"].COMMANDS[name]
    assert tools["kills"].is_right_code(command, number, code, said) is right
