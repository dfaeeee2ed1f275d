"""Edits are exact: found once or refused, together or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.errors import TrialError
from kit.specimens.edits import Edit, diff, edited, read, write

FILES = {"app.py": "one\ntwo\nthree\n", "notes.txt": "one\n"}


def test_edits_are_all_found_in_the_text_as_it_was_given() -> None:
    """Edits of one file are made together in any order, and text that one of them brings in is not found by another."""
    edits = [Edit("app.py", "three", "two"), Edit("app.py", "one", "three"), Edit("app.py", "two", "four")]
    assert edited(FILES, edits) == {"app.py": "three\nfour\ntwo\n", "notes.txt": "one\n"}
    assert edited(FILES, reversed(edits)) == edited(FILES, edits)


@pytest.mark.parametrize(("one", "other", "both"), [
    (Edit("app.py", "two\n", "1.5\ntwo\n"), Edit("app.py", "two\n", "1.7\ntwo\n"), "one\n1.5\n1.7\ntwo\nthree\n"),
    (Edit("app.py", "two\n", "1.5\ntwo\n"), Edit("app.py", "two\n", "2\n"), "one\n1.5\n2\nthree\n"),
    (Edit("app.py", "one\ntwo\n", "two\n"), Edit("app.py", "two\n", "two\n2.5\n"), "two\n2.5\nthree\n"),
    (Edit("app.py", "three", "th"), Edit("app.py", "two\nthr", "two\n2.5\nthr"), "one\ntwo\n2.5\nth\n"),
    (Edit("app.py", "two", "two!"), Edit("app.py", "two\n", "two\n2.5\n"), "one\ntwo!\n2.5\nthree\n"),
])
def test_edits_that_change_different_text_are_made_together(one: Edit, other: Edit, both: str) -> None:
    """What an edit leaves as it was only says where it is made: another edit may change it."""
    assert edited(FILES, [one, other])["app.py"] == both


def test_an_edit_that_is_given_twice_is_made_once() -> None:
    """Two pieces that need the same change go together."""
    edit = Edit("app.py", "two\n", "1.5\ntwo\n")
    assert edited(FILES, [edit, edit]) == edited(FILES, [edit])


def test_an_edit_can_be_undone() -> None:
    """An edit and its undoing leave the files as they were."""
    edit = Edit("app.py", "two\n", "2\n2\n")
    assert edited(edited(FILES, [edit]), [edit.undone()]) == FILES


def test_an_edit_can_make_a_file() -> None:
    """An edit of a file that is not there, with no text to be found in it, makes the file."""
    assert edited(FILES, [Edit("new.py", "", "one\n")]) == {**FILES, "new.py": "one\n"}


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([Edit("app.py", "four", "4")], "occurs 0 times"),
        ([Edit("app.py", "o", "0")], "occurs 2 times"),
        ([Edit("app.py", "", "0")], "occurs 0 times"),
        ([Edit("gone.py", "one", "1")], "There is no file gone.py"),
        ([Edit("app.py", "one\ntwo", "1"), Edit("app.py", "two\nthree", "2")], "change the same text in app.py"),
    ],
)
def test_an_edit_that_cannot_be_made_is_refused(edits: list[Edit], message: str) -> None:
    """Text that is missing, not unique or taken by another edit, and a missing file, are refused by name."""
    with pytest.raises(TrialError, match=message):
        edited(FILES, edits)


def test_a_difference_shows_what_changed_and_nothing_else() -> None:
    """The difference names the files that differ, with the lines taken out and put in."""
    shown = diff(FILES, edited(FILES, [Edit("app.py", "two", "2")]), context=0)
    assert shown == "--- app.py\n+++ app.py\n@@ -2 +2 @@\n-two\n+2\n"


def test_a_difference_is_a_text_that_a_notebook_shows_in_colours() -> None:
    """What is taken out and what is put in have a colour each, the rest has none, and no line of it is markup."""
    shown = diff({"a.html": "<b>\nold\n"}, {"a.html": "<b>\nnew\n"})
    both = shown + diff({}, {"b.py": "x\n"})
    page = both._repr_mimebundle_()
    assert page["text/plain"] == both
    assert '<span style="background:rgba(229,72,77,.2)">-old</span>' in page["text/html"]
    assert '<span style="background:rgba(46,160,67,.2)">+new</span>' in page["text/html"]
    assert "\n &lt;b&gt;\n" in page["text/html"]
    assert "+x" in both


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    """A project that was written reads back the same, and its shell scripts can be run."""
    files = {"ci/run.sh": "#!/bin/sh\n", "app/main.py": "print('Grüße')\n"}
    write(files, tmp_path / "project")
    assert read(tmp_path / "project") == files
    assert (tmp_path / "project/ci/run.sh").stat().st_mode & 0o111 == 0o111


def test_what_a_run_leaves_behind_is_not_read(tmp_path: Path) -> None:
    """Caches and hidden files beside a project are no part of it."""
    write({"app/main.py": ""}, tmp_path)
    for left in (".pytest_cache/README.md", "app/__pycache__/main.cpython-311.pyc", ".env"):
        (tmp_path / left).parent.mkdir(exist_ok=True)
        (tmp_path / left).write_bytes(b"\xff")
    assert list(read(tmp_path)) == ["app/main.py"]


def test_nothing_is_written_among_other_files(tmp_path: Path) -> None:
    """A directory that holds something is refused, and left as it was."""
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(TrialError, match="is not empty"):
        write(FILES, tmp_path)
    assert read(tmp_path) == {"mine.txt": "keep"}
