"""A folder of the kit's own is there while its owner lives; the next one removes what a killed owner left."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kit.workfolder import NEWBORN_S, is_held, sweep, workfolder

PREFIX = "kit-test-"
OWNER = f"""
import tempfile, sys
tempfile.tempdir = sys.argv[1]
from kit.workfolder import workfolder
with workfolder({PREFIX!r}) as folder:
    (folder / "values").write_text("secret")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_gone_with_the_work(temporary: Path) -> None:
    """It is locked while the work goes on, and nothing is left afterwards, by an error neither."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        with workfolder(PREFIX) as folder:
            assert is_held(folder)
            raise ZeroDivisionError
    assert list(temporary.iterdir()) == []


def test_what_a_killed_owner_left_goes_with_the_next_start(temporary: Path) -> None:
    """The folder of an owner that lives stays, as does one that was only just made; the killed owner's goes."""
    owners = [
        subprocess.Popen(
            [sys.executable, "-c", OWNER, str(temporary)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    folders = []
    for owner in owners:
        assert owner.stdout is not None
        folders.append(Path(owner.stdout.readline().strip()))
    newborn = temporary / f"{PREFIX}newborn"
    newborn.mkdir()
    owners[0].kill()
    owners[0].wait()
    with workfolder(PREFIX):
        assert [folder.exists() for folder in folders] == [False, True]
        assert newborn.exists()
    for owner in owners:
        owner.communicate()
    assert list(temporary.iterdir()) == [newborn]
    os.utime(newborn, (0, newborn.stat().st_mtime - 2 * NEWBORN_S))
    assert sweep(PREFIX) == [newborn]


def test_a_link_to_a_folder_is_not_followed(temporary: Path) -> None:
    """What another user links to from the common folder is nobody's leftover."""
    target = temporary / "target"
    target.mkdir()
    (target / "mine").write_text("")
    (temporary / f"{PREFIX}link").symlink_to(target)
    assert sweep(PREFIX) == []
    assert (target / "mine").exists()
