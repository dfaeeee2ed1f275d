"""Temporary folders of the kit: locked while their owner lives, and removed when its work is done.

The folder of a killed owner remains. The next start that makes such folders finds its lock free and removes it.
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
# The folders in the system's temporary directory: each start removes abandoned ones of all these kinds.
TEMPORARY = (
    "kit-trace-", "kit-diagnose-", "kit-trial-", "kit-parent-", "kit-kernel-", "kit-tmp-", "kit-suite-", "kit-guard-",
    "kit-lender-", "kit-class-", "db-guard-",
)  # fmt: skip
SOCKET_PATH_BYTES = 56
"""Longest folder for temporary files: the path of a socket, in a folder in a folder of it, may have 103 bytes."""
_ABOVE_STREAMS = 3  # standard input, output and error have the lower numbers


@contextmanager
def workfolder(prefix: str) -> Iterator[Path]:
    """A new folder in the system's temporary directory; abandoned ones are removed first.

    Raises OSError when it cannot be made.
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
    """A new folder in `base` for this user alone, and its lock: held until this descriptor and its copies are closed.

    The folder is renamed to its final name when it is locked. A folder of that name without a lock is therefore being
    removed, or was abandoned.
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


def make_short(prefix: str) -> tuple[Path, int]:
    """A new private folder and its lock, as `make` gives them, with a path short enough for sockets in it.

    Abandoned folders of this kind are removed first.
    """
    common = tempfile.gettempdir()
    base = Path(common if len(common.encode()) <= SOCKET_PATH_BYTES else "/tmp")
    sweep((*TEMPORARY, prefix), (base,))
    return make(base, prefix)


def take_lock(folder: Path) -> int:
    """Lock a new folder; the lock is held until the returned descriptor and its copies are closed."""
    # Locked before it gets its final name, because a sweep treats a free lock as abandoned.
    opened = os.open(folder / f"{LOCK}.new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # With standard streams closed, the lock would get the number of one, and a child's stream would replace it.
        lock = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STREAMS)
    finally:
        os.close(opened)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.rename(folder / f"{LOCK}.new", folder / LOCK)
    return lock


def sweep(prefixes: Iterable[str], bases: Iterable[Path]) -> list[Path]:
    """Remove this user's abandoned folders with these prefixes in `bases`; return the removed ones."""
    found = abandoned(prefixes, bases)
    for folder in found:
        remove(folder)
    return found


def abandoned(prefixes: Iterable[str], bases: Iterable[Path]) -> list[Path]:
    """This user's abandoned folders with these prefixes in `bases`."""
    starts = tuple(prefixes)
    folders: list[Path] = []
    for base in dict.fromkeys(bases):
        with suppress(OSError):  # a missing or closed base contains nothing of ours
            folders += [base / name for name in os.listdir(base) if name.startswith(starts)]
    return [folder for folder in folders if is_abandoned(folder)]


def remove(folder: Path) -> None:
    """Remove a folder, its lock last: after an interrupted removal the lock is free, and the next sweep finds it."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            with suppress(OSError):  # another sweep removed it first
                path.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def is_abandoned(folder: Path) -> bool:
    """Whether a folder is this user's and no process holds it."""
    try:
        found = folder.lstat()
    except OSError:
        return False  # another sweep removed it first
    if found.st_uid != os.geteuid() or not folder.is_dir() or folder.is_symlink():
        return False
    if (folder / LOCK).exists():
        return not is_held(folder)
    return not (_maker_lives(folder.name) and time.time() - found.st_mtime < NEWBORN_S)


def is_held(folder: Path) -> bool:
    """Whether a process holds the lock of this folder."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two concurrent checks do not block each other
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _maker_lives(name: str) -> bool:
    """Whether this is the name of a folder that a living process is just making."""
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
