"""A folder of the kit's own is there while its owner lives; the next one removes what a killed owner left."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from kit import workfolder as module
from kit.workfolder import NEWBORN_S, TEMPORARY, is_held, make, sweep, workfolder

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
    """The folder of an owner that lives stays; the killed owner's goes."""
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
    owners[0].kill()
    owners[0].wait()
    with workfolder(PREFIX):
        assert [folder.exists() for folder in folders] == [False, True]
    for owner in owners:
        owner.communicate()
    assert list(temporary.iterdir()) == []


def test_each_start_removes_what_was_left_of_every_kind(temporary: Path) -> None:
    """Folders of trials, parents, traces and diagnoses go with the next folder of any kind, locked once or never."""
    for number, prefix in enumerate(TEMPORARY):
        folder, lock = make(temporary, prefix)
        os.close(lock)
        if number % 2:
            (folder / "lock").unlink()  # killed in the midst of being removed
    with workfolder(PREFIX) as folder:
        assert list(temporary.iterdir()) == [folder]


def test_a_folder_that_is_just_being_made_is_left_alone(temporary: Path) -> None:
    """Without a lock yet, it stays while its maker lives, and a short time at most; another process's goes."""
    living, dead = (temporary / f"{PREFIX}new.{pid}.0" for pid in (os.getpid(), _number_of_nobody()))
    living.mkdir()
    dead.mkdir()
    assert sweep([PREFIX], [temporary]) == [dead]
    os.utime(living, (0, living.stat().st_mtime - 2 * NEWBORN_S))
    assert sweep([PREFIX], [temporary]) == [living]


def _number_of_nobody() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_a_sweep_at_any_moment_leaves_a_new_folder_alone(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step of the making, with a sweep before it, ends with a folder that is locked."""
    for name in ("mkdir", "open", "rename"):
        step = getattr(os, name)

        def swept_first(*args: object, step: Any = step, name: str = name, **more: object) -> Any:
            monkeypatch.setattr(module.os, name, step)
            assert sweep([PREFIX], [temporary]) == []
            return step(*args, **more)

        monkeypatch.setattr(module.os, name, swept_first)
        folder, lock = make(temporary, PREFIX)
        assert is_held(folder)
        module.remove(folder)
        os.close(lock)


def test_two_who_ask_at_once_do_not_mislead_each_other(temporary: Path) -> None:
    """While one looks whether a folder is held, another does not take that for a hold."""
    folder, lock = make(temporary, PREFIX)
    os.close(lock)
    with open(folder / "lock") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert not is_held(folder)


def test_a_lock_never_has_the_number_of_a_standard_stream(temporary: Path) -> None:
    """With all standard streams closed, the lock is open under a number that no child's stream takes over."""
    program = (
        "import os, tempfile\n"
        "from pathlib import Path\n"
        "from kit.workfolder import make\n"
        "os.closerange(0, 3)\n"
        f"folder, lock = make(Path({str(temporary)!r}), {PREFIX!r})\n"
        "(folder / 'number').write_text(str(lock))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    (number,) = temporary.glob("*/number")
    assert int(number.read_text()) > 2


def test_a_link_to_a_folder_is_not_followed(temporary: Path) -> None:
    """What another user links to from the common folder is nobody's leftover."""
    target = temporary / "target"
    target.mkdir()
    (target / "mine").write_text("")
    (temporary / f"{PREFIX}link").symlink_to(target)
    assert sweep([PREFIX], [temporary]) == []
    assert (target / "mine").exists()
