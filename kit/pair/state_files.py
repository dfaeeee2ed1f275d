"""The files in this user's state directory: one command changes them at a time, and each is written whole."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kit.errors import PairError
from kit.pair import places


@contextmanager
def only_one() -> Iterator[None]:
    """Allow one command of this user at a time to start or end what is left running."""
    path = places.state_directory() / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write(path: Path, text: str) -> None:
    """Write a file that only this user can read, atomically. Raises PairError when it cannot be written."""
    half = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        half.rename(path)
    except OSError as error:
        with suppress(OSError):
            half.unlink()
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> PairError:
    """The error for a state file that cannot be written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return PairError(
        f"cannot write {path}: {error.strerror}",
        remedy=("free some space there, or " if full else "")
        + f"set {places.STATE_VARIABLE} to a directory that you can write to",
    )
