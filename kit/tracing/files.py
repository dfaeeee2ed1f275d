"""The files of an answer: written completely or not at all, and checked before anything is run."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from kit.errors import TraceError

# Errors when no new file can be created beside the target, although the target may be writable (a bind mount).
_NONE_BESIDE = (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EXDEV, errno.EROFS)
_REMEDY = "name a file in an existing folder that you may write to"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MORE_ROOM = "make room there, or name a file on another disk"


def check(path: Path) -> Path:
    """The absolute path of a file. Raises TraceError when it cannot be written. Leaves the file as it is."""
    path = path.absolute()
    target = _target(path)
    if target.is_dir():
        raise TraceError(f"{path} is a folder", wanted="a file to write to", remedy=_REMEDY)
    if _is_device(path):
        if not os.access(path, os.W_OK):
            raise TraceError(f"{path} cannot be written: Permission denied", remedy=_REMEDY)
        return path
    try:
        beside = _open_beside(target)
    except OSError as error:
        if not _may_write_in_place(target, error):
            raise _error(path, error) from None
    else:
        os.close(beside[0])
        beside[1].unlink(missing_ok=True)
    return path


def write(path: Path, data: bytes) -> None:
    """Write a file; its previous content remains until all is written. Raises TraceError when it cannot be written."""
    target = _target(path)
    try:
        if _is_device(path):
            path.write_bytes(data)
        else:
            _write_whole(target, data)
    except OSError as error:
        if not _may_write_in_place(target, error):
            raise _error(path, error) from None
        try:
            target.write_bytes(data)
        except OSError as again:
            raise _error(path, again) from None


def _write_whole(target: Path, data: bytes) -> None:
    number, beside = _open_beside(target)
    try:
        with open(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            beside.chmod(stat.S_IMODE(target.stat().st_mode))
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _open_beside(target: Path) -> tuple[int, Path]:
    beside = target.with_name(f".kit-{secrets.token_hex(6)}.new")
    return os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), beside


def _target(path: Path) -> Path:
    """The file behind symbolic links, so that a link is not replaced by the file."""
    return Path(os.path.realpath(path))


def _is_device(path: Path) -> bool:
    """Whether the path exists and is not a regular file: a pipe, a terminal, /dev/null, /dev/stdout."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _may_write_in_place(target: Path, error: OSError) -> bool:
    return error.errno in _NONE_BESIDE and target.is_file() and os.access(target, os.W_OK)


def _error(path: Path, error: OSError) -> TraceError:
    remedy = _MORE_ROOM if error.errno in _FULL else _REMEDY
    return TraceError(f"{path} cannot be written: {error.strerror}", remedy=remedy)
