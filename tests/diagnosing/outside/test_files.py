from __future__ import annotations

from pathlib import Path

import pytest

from kit.diagnosing.outside.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "kept").write_bytes(b"before\x00\r\n")
    (tmp_path / "kept").chmod(0o600)
    (tmp_path / "gone").write_text("gone")
    found = Files(tmp_path)
    for name in ("kept", "gone", "made", "new", "new/inner"):
        found.touched(tmp_path / name)
    return found


def write(folder: Path) -> None:
    (folder / "kept").write_text("after")
    (folder / "kept").chmod(0o644)
    (folder / "gone").unlink()
    (folder / "made").write_text("made")
    (folder / "new").mkdir()
    (folder / "new" / "inner").write_text("x")


def test_what_was_written_is_told_and_each_can_be_put_back_alone(tmp_path: Path, files: Files) -> None:
    """A file that was changed, removed or made is told; one that is put back is as it was, bit by bit."""
    files.begins()
    write(tmp_path)
    assert {(left.label, left.before, left.after) for _, left in files.differences()} == {
        ("file kept", "9 bytes", "5 bytes"), ("file gone", "4 bytes", ""), ("file made", "", "4 bytes"),
        ("folder new", "", "there"), ("file new/inner", "", "1 byte"),
    }  # fmt: skip
    files.put_back({"file kept", "file new/inner"})
    assert {left.label for _, left in files.differences()} == {"file gone", "file made", "folder new"}
    assert (tmp_path / "kept").read_bytes() == b"before\x00\r\n"
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o600


def test_all_is_as_before_and_then_as_the_first_run_left_it(tmp_path: Path, files: Files) -> None:
    """Between runs all is as before the first, and at the end as that one left it; other files are not touched."""
    (tmp_path / "other").write_text("somebody's")
    write(tmp_path)
    files.end_first_run()
    files.restore_all(files.first)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gone", "kept", "other"]
    files.restore_all(files.left)
    assert (tmp_path / "new" / "inner").read_text() == "x"
    assert not (tmp_path / "gone").exists()
    assert (tmp_path / "kept").read_text() == "after"


def test_a_folder_that_holds_more_stays(tmp_path: Path, files: Files) -> None:
    """A folder that a run has made stays where something is in it that no run is known to have written."""
    write(tmp_path)
    (tmp_path / "new" / "own").write_text("somebody's")
    files.restore_all(files.first)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["own"]


def test_nothing_outside_of_the_folder_is_kept_or_written(tmp_path: Path) -> None:
    """What lies elsewhere is nobody's business here."""
    inner, outer = tmp_path / "project", tmp_path / "outer"
    inner.mkdir()
    files = Files(inner)
    files.touched(outer)
    outer.write_text("x")
    assert list(files.differences()) == []
    files.restore_all(files.first)
    assert outer.exists()


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_what_a_run_has_made_a_link_is_left_alone(tmp_path: Path, linked: str) -> None:
    """Where a link stands by now, nothing is written through it, nor taken away behind it."""
    inner, outer = tmp_path / "project", tmp_path / "outer"
    (inner / "data").mkdir(parents=True)
    outer.mkdir()
    (inner / "data" / "a").write_text("own")
    (outer / "a").write_text("somebody's")
    files = Files(inner)
    for path in (inner / "data" / "a", inner / "data" / "b"):
        files.touched(path)
    (outer / "b").write_text("somebody's, too")
    (inner / "data" / "a").unlink()
    if linked == "file":
        (inner / "data" / "a").symlink_to(outer / "a")
    else:
        (inner / "data").rmdir()
        (inner / "data").symlink_to(outer)
    files.restore_all(files.first)
    assert {path.name: path.read_text() for path in outer.iterdir()} == {"a": "somebody's", "b": "somebody's, too"}
