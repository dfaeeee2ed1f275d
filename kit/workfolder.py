"""A folder of the kit's own for one piece of work: locked while its owner lives, and gone with the work.

Where the owner was killed the folder stays. The next one sees that nobody holds the lock, and removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = "lock"
NEWBORN_S = 60.0


@contextmanager
def workfolder(prefix: str) -> Iterator[Path]:
    """A new folder in the one for temporary files, after what killed owners of such folders left is removed.

    OSError where it cannot be made.
    """
    sweep(prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    lock = take_lock(folder)
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(lock)


def take_lock(folder: Path) -> int:
    """Lock a new folder, and return the lock: it is held until this descriptor, and its copies, are closed."""
    # Locked before it has its name: a sweep takes a lock that nobody holds for one that was left.
    lock = os.open(folder / f"{LOCK}.new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.rename(folder / f"{LOCK}.new", folder / LOCK)
    return lock


def sweep(prefix: str) -> list[Path]:
    """Remove the folders of this prefix that killed owners left, and return what was removed."""
    swept = []
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        if is_abandoned(folder):
            _remove(folder)
            swept.append(folder)
    return swept


def _remove(folder: Path) -> None:
    """Remove a folder, its lock last: what is left by one that is killed meanwhile is held by nobody, and seen."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            with suppress(OSError):  # another sweep was faster
                path.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def is_abandoned(folder: Path) -> bool:
    """Whether a folder is this user's, and nobody has it any more."""
    try:
        found = folder.lstat()
    except OSError:
        return False  # another sweep was faster
    if found.st_uid != os.geteuid() or not folder.is_dir() or folder.is_symlink():
        return False
    if not (folder / LOCK).exists():
        return time.time() - found.st_mtime > NEWBORN_S  # between being made and being locked
    return not is_held(folder)


def is_held(folder: Path) -> bool:
    """Whether a process still holds the lock of this folder."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
