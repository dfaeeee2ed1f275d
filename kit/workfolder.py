"""A folder of the kit's own for one piece of work: locked while its owner lives, and gone with the work.

Where the owner was killed the folder stays. The next start of anything that makes such folders sees that nobody holds
the lock, and removes it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = "lock"
NEWBORN = "new."
NEWBORN_S = 60.0
# The kinds of folders in the directory for temporary files: each start removes what was left of all of them.
TEMPORARY = ("kit-trace-", "kit-diagnose-", "kit-trial-", "kit-parent-", "kit-kernel-", "kit-tmp-", "kit-suite-")
_ABOVE_STREAMS = 3  # standard input, output and error have the numbers before


@contextmanager
def workfolder(prefix: str) -> Iterator[Path]:
    """A new folder in the one for temporary files, after what killed owners of such folders left is removed.

    OSError where it cannot be made.
    """
    base = Path(tempfile.gettempdir())
    sweep((*TEMPORARY, prefix), (base,))
    folder, lock = make(base.resolve(), prefix)
    try:
        yield folder
    finally:
        remove(folder)
        os.close(lock)


def make(base: Path, prefix: str) -> tuple[Path, int]:
    """A new folder in `base`, for this user alone, and its lock: held until this descriptor and its copies are closed.

    The folder gets its name when it has its lock. So one of that name without a lock is being removed, or was left.
    """
    newborn = base / f"{prefix}{NEWBORN}{os.getpid()}.{secrets.token_hex(4)}"
    newborn.mkdir(mode=0o700)
    lock = -1
    try:
        lock = take_lock(newborn)
        folder = base / f"{prefix}{secrets.token_hex(4)}"
        newborn.rename(folder)
    except BaseException:
        if lock >= 0:
            os.close(lock)
        shutil.rmtree(newborn, ignore_errors=True)
        raise
    return folder, lock


def take_lock(folder: Path) -> int:
    """Lock a new folder, and return the lock: it is held until this descriptor, and its copies, are closed."""
    # Locked before it has its name: a sweep takes a lock that nobody holds for one that was left.
    opened = os.open(folder / f"{LOCK}.new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # Where standard streams are closed, the number would be one of theirs, and a child's stream would replace it.
        lock = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STREAMS)
    finally:
        os.close(opened)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.rename(folder / f"{LOCK}.new", folder / LOCK)
    return lock


def sweep(prefixes: Iterable[str], bases: Iterable[Path]) -> list[Path]:
    """Remove this user's folders with these prefixes that killed owners left in `bases`; return what was removed."""
    found = abandoned(prefixes, bases)
    for folder in found:
        remove(folder)
    return found


def abandoned(prefixes: Iterable[str], bases: Iterable[Path]) -> list[Path]:
    """This user's folders with these prefixes in `bases` that nobody has any more."""
    starts = tuple(prefixes)
    folders: list[Path] = []
    for base in dict.fromkeys(bases):
        with suppress(OSError):  # a base that is not there, or is closed, has nothing of ours
            folders += [base / name for name in os.listdir(base) if name.startswith(starts)]
    return [folder for folder in folders if is_abandoned(folder)]


def remove(folder: Path) -> None:
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
    if (folder / LOCK).exists():
        return not is_held(folder)
    return not (_maker_lives(folder.name) and time.time() - found.st_mtime < NEWBORN_S)


def is_held(folder: Path) -> bool:
    """Whether a process still holds the lock of this folder."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who ask at once do not mislead each other
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _maker_lives(name: str) -> bool:
    """Whether the name is that of a folder which is just being made, by a process that is there."""
    _, newborn, rest = name.partition(NEWBORN)
    if not newborn:
        return False
    try:
        os.kill(int(rest.partition(".")[0]), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
