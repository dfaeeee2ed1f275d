"""Copies of notebooks belong to those who work on them, and follow their originals as long as nobody has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.errors import NotebookError
from kit.notebooks import copies


def notebook(path: Path, *sources: str, outputs: str = "") -> Path:
    cells = [{"cell_type": "code", "source": source, "outputs": outputs, "metadata": {}} for source in sources]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture
def originals(tmp_path: Path) -> list[Path]:
    """Two notebooks."""
    return [notebook(tmp_path / "originals" / f"{name}.ipynb", f"{name} = 1") for name in ("a", "b")]


@pytest.fixture
def work(tmp_path: Path, originals: list[Path]) -> Path:
    """A folder with fresh copies of both."""
    copies.refresh(tmp_path / "work", originals)
    return tmp_path / "work"


def test_each_notebook_is_copied_once(originals: list[Path], work: Path) -> None:
    """The copies are the originals byte for byte, and a second time nothing is copied."""
    assert [(work / one.name).read_bytes() for one in originals] == [one.read_bytes() for one in originals]
    assert copies.refresh(work, originals) == copies.Refreshed()


def test_the_glossary_comes_with_the_copies(originals: list[Path], work: Path) -> None:
    """The page to which the notebooks link is beside the copies, and is always the current one."""
    assert not (work / "glossary.md").exists()
    (originals[0].parent / "glossary.md").write_text("## trial\n")
    copies.refresh(work, originals)
    assert (work / "glossary.md").read_text() == "## trial\n"
    (originals[0].parent / "glossary.md").write_text("## trial\n\n## twin\n")
    assert copies.refresh(work, originals) == copies.Refreshed()
    assert "twin" in (work / "glossary.md").read_text()


def test_a_read_only_original_gets_a_copy_that_can_be_changed(tmp_path: Path, originals: list[Path]) -> None:
    """What is installed by somebody else can be read-only; its copies are not."""
    originals[0].chmod(0o444)
    copies.refresh(tmp_path / "work", originals)
    assert (tmp_path / "work" / "a.ipynb").stat().st_mode & 0o200


def test_a_copy_that_was_only_run_follows_its_original(originals: list[Path], work: Path) -> None:
    """Outputs are no edit: when the original changes, its copy does."""
    notebook(work / "a.ipynb", "a = 1", outputs="1")
    assert copies.refresh(work, originals).made == []
    notebook(originals[0], "a = 2")
    assert copies.refresh(work, originals).made == ["a"]
    assert "a = 2" in (work / "a.ipynb").read_text()


def test_an_edited_copy_stays_and_its_new_original_is_reported(originals: list[Path], work: Path) -> None:
    """Nobody's work is replaced unasked, not even by a newer notebook; that there is one is said each time."""
    notebook(work / "a.ipynb", "mine = 1")
    assert copies.refresh(work, originals) == copies.Refreshed()
    notebook(originals[0], "a = 2")
    for _ in range(2):
        assert copies.refresh(work, originals) == copies.Refreshed(outdated=["a"])
    assert "mine = 1" in (work / "a.ipynb").read_text()


@pytest.mark.parametrize("names", [["a"], ["a.ipynb"], ["all"]])
def test_starting_over_keeps_what_was_edited(originals: list[Path], work: Path, names: list[str]) -> None:
    """A copy that is started over is the original again, and what was edited in it is kept aside, each time."""
    for edit in ("mine = 1", "mine = 2"):
        notebook(work / "a.ipynb", edit)
        done = copies.refresh(work, originals, names)
        assert "a" in done.made
        assert (work / "a.ipynb").read_bytes() == originals[0].read_bytes()
        assert done.aside is not None
        assert edit in (done.aside / "a.ipynb").read_text()
    assert len(list((work / "replaced").iterdir())) == 2


def test_starting_over_what_was_only_run_leaves_nothing_aside(originals: list[Path], work: Path) -> None:
    """Outputs alone are not kept."""
    notebook(work / "b.ipynb", "b = 1", outputs="1")
    assert copies.refresh(work, originals, ["b"]) == copies.Refreshed(made=["b"])


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"cells": 1}', '{"a": [1]}'])
def test_a_damaged_list_of_copies_loses_no_work(originals: list[Path], work: Path, damage: str) -> None:
    """Without knowing what the copies were made from, each counts as edited."""
    notebook(work / "a.ipynb", "mine = 1")
    (work / ".copies.json").write_text(damage)
    copies.refresh(work, originals)
    assert "mine = 1" in (work / "a.ipynb").read_text()


def test_a_copy_that_was_made_and_not_recorded_is_no_edited_one(originals: list[Path], work: Path) -> None:
    """Who was ended between copying and recording left copies that follow their originals like others."""
    (work / ".copies.json").unlink()
    assert copies.refresh(work, originals) == copies.Refreshed()
    notebook(originals[0], "a = 2")
    assert copies.refresh(work, originals) == copies.Refreshed(made=["a"])


def test_a_copy_that_is_no_notebook_any_more_is_kept(originals: list[Path], work: Path) -> None:
    """What cannot be read counts as edited."""
    (work / "a.ipynb").write_text("half a note")
    assert copies.refresh(work, originals) == copies.Refreshed()
    done = copies.refresh(work, originals, ["a"])
    assert done.aside is not None
    assert (done.aside / "a.ipynb").read_text() == "half a note"


def test_a_name_of_no_notebook_is_refused_with_those_there_are(originals: list[Path], work: Path) -> None:
    """A misspelt name changes nothing."""
    notebook(work / "a.ipynb", "mine = 1")
    with pytest.raises(NotebookError, match=r"There is no notebook c\. Wanted: all, or one of a, b\."):
        copies.refresh(work, originals, ["a", "c"])
    assert "mine = 1" in (work / "a.ipynb").read_text()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, originals: list[Path]) -> None:
    """Where a file is in the way of the folder, the message says what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(NotebookError, match="To do: change into a folder that you may write to"):
        copies.refresh(tmp_path / "file" / "work", originals)
