"""The kit's own notebooks are found wherever the command is run."""

from __future__ import annotations

from pathlib import Path

import pytest

import kit.notebooks.originals
from kit.errors import NotebookError
from kit.notebooks.investigate.tasks import tasks
from kit.notebooks.originals import notebooks_in, originals

ROOT = Path(__file__).parents[2]


def test_a_checkout_has_them_beside_the_package() -> None:
    """In a checkout they are the files in its folder `notebooks`."""
    assert originals() == sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_without_notebooks_here_the_kits_own_are_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kit investigate` in a folder without notebooks takes the kit's own, and else those of the folder alone."""
    monkeypatch.chdir(tmp_path)
    assert [task.path for task in tasks([], [], None, solved=False)] == originals()
    (tmp_path / "notebooks").mkdir()
    for name in ("mine.ipynb", "_left.ipynb"):
        (tmp_path / "notebooks" / name).write_bytes(originals()[0].read_bytes())
    assert [task.path for task in tasks([], [], None, solved=False)] == [tmp_path / "notebooks" / "mine.ipynb"]
    assert notebooks_in(tmp_path / "nowhere") == []


def test_an_installation_without_notebooks_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody has removed them, one sentence says so."""
    monkeypatch.setattr(kit.notebooks.originals, "_PACKAGE", tmp_path / "kit")
    with pytest.raises(NotebookError, match=r"no notebooks\. To do: install the kit again"):
        originals()
