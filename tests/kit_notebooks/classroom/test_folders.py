"""Each seat has a folder with a student's notebooks; what is in it is never replaced."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from kit.errors import ClassError
from kit.notebooks import seat
from kit.notebooks.classroom import folders
from kit.notebooks.classroom.folders import clear, join, make, number_of, seat_folders, tasks
from kit.notebooks.originals import originals
from kit.notebooks.seat import FILE, RECORD

NAMES = sorted(path.name for path in originals())


@pytest.fixture(scope="module", autouse=True)
def _quick() -> None:
    """Read the notebooks once."""
    tasks()


def test_the_tasks_are_those_of_the_notebooks() -> None:
    """Every notebook is known, with its predictions and exercises; an id belongs to one notebook only."""
    found = tasks()
    assert list(found) == [path.stem for path in originals()]
    assert found["01_the_failure"].predictions[0] == "by-the-letter"
    assert found["01_the_failure"].exercises == ("tests-on-production", "global-engine-by-hand")
    for kind in ("predictions", "exercises"):
        ids = [id for one in found.values() for id in getattr(one, kind)]
        assert len(ids) == len(set(ids)) > 20


def test_each_seat_has_notebooks_without_solutions(tmp_path: Path) -> None:
    """The folders have all notebooks, no solution, an empty record, and the seat's name."""
    made = make(tmp_path / "room", 2, resume=False)
    assert [path.name for path in made] == ["seat-01", "seat-02"]
    for path in made:
        assert sorted(one.name for one in path.glob("*.ipynb")) == NAMES
        assert "<summary>Solution</summary>" not in (path / "01_the_failure.ipynb").read_text()
        assert (path / RECORD).read_text() == ""
        found = seat.read(path)
        assert found is not None
        assert (found.name, found.record, found.notebooks) == (path.name, path / RECORD, tasks())


def test_work_is_never_replaced(tmp_path: Path) -> None:
    """A folder with anything in it is refused and left alone; --resume adds what is missing to it."""
    mine = tmp_path / "seat-02" / "00_board.ipynb"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(ClassError, match=r"seat-02 has work in it.*--resume"):
        make(tmp_path, 2, resume=False)
    assert [path.name for path in tmp_path.rglob("*")] == ["seat-02", "00_board.ipynb"]
    make(tmp_path, 2, resume=True)
    assert mine.read_text() == "mine"
    assert sorted(path.name for path in mine.parent.glob("*.ipynb")) == NAMES


def test_a_room_that_was_moved_keeps_its_records(tmp_path: Path) -> None:
    """The folder of a class can be renamed: the record is where the seat is."""
    make(tmp_path / "room", 1, resume=False)
    (tmp_path / "room").rename(tmp_path / "moved")
    found = seat.read(tmp_path / "moved" / "seat-01")
    assert found is not None
    assert found.record == tmp_path / "moved" / "seat-01" / RECORD


def test_everybody_who_joins_has_a_seat_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Participants who join at one moment get different seats, whose records others may read, under any umask."""
    monkeypatch.setattr(folders, "write", lambda *_, **__: [])
    shared = tmp_path / "shared"
    shared.mkdir()
    before = folders.os.umask(0o077)
    at_once = [threading.Thread(target=join, args=(shared, tmp_path / f"home-{number}")) for number in range(8)]
    for one in at_once:
        one.start()
    for one in at_once:
        one.join()
    folders.os.umask(before)
    assert [path.name for path in seat_folders(shared)] == [f"seat-{number:02}" for number in range(1, 9)]
    assert {(path / RECORD).stat().st_mode & 0o777 for path in seat_folders(shared)} == {0o644}
    assert {path.stat().st_mode & 0o777 for path in seat_folders(shared)} == {0o755}
    names = {found.name for number in range(8) if (found := seat.read(tmp_path / f"home-{number}"))}
    assert len(names) == 8


def test_who_joins_again_keeps_the_seat_and_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    """A second join is the same seat; a folder with other files, and a class that has ended, are refused."""
    shared, home = tmp_path / "shared", tmp_path / "home"
    shared.mkdir()
    assert join(shared, home).name == join(shared, home).name == "seat-01"
    with pytest.raises(ClassError, match="is not empty"):
        join(shared, tmp_path)
    clear(shared)
    with pytest.raises(ClassError, match="has ended"):
        join(shared, home)
    assert list(shared.iterdir()) == []


def test_a_shared_folder_without_room_for_a_seat_is_said(tmp_path: Path) -> None:
    """Where no seat can be made, the error names it and what to ask for, and no notebook is written."""
    with pytest.raises(ClassError, match=r"seat-01 cannot be made: No such file or directory.*ask your teacher"):
        join(tmp_path / "missing", tmp_path / "home")
    assert list(tmp_path.iterdir()) == []


def test_clearing_leaves_everything_else(tmp_path: Path) -> None:
    """The records and what marks the seats go; notebooks, and folders that are no seats, stay."""
    (path,) = make(tmp_path, 1, resume=False)
    other = tmp_path / "seat-of-others"
    other.mkdir()
    (other / RECORD).write_text("kept")
    clear(tmp_path)
    assert sorted(one.name for one in path.iterdir()) == sorted([*NAMES, "glossary.md"])
    assert (other / RECORD).read_text() == "kept"
    assert not (path / FILE).exists()


@pytest.mark.parametrize(
    ("name", "number"), [("seat-01", 1), ("seat-120", 120), ("seat-", 0), ("seat-x", 0), ("seat-²", 0)]
)
def test_a_seat_is_known_by_its_number(name: str, number: int) -> None:
    """A folder is a seat's if its name ends with a number."""
    assert number_of(Path(name)) == number
