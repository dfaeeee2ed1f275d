"""Directories of a pair: data in memory when there is enough space, state and templates in the user's directories."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import PairError

APP = "fastapi-database-isolation-kit"
RUN_PREFIX = "kit-pair-"
DATA_VARIABLE = "KIT_DATA_DIR"
STATE_VARIABLE = "KIT_STATE_DIR"

# A fresh pair takes 65 MB, and a hundred trials with two slots stay below twice that.
COMFORTABLE_MB = 400
SMALLEST_MB = 120


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user that servers run as when we are root, because Postgres refuses root."""

    name: str
    uid: int
    gid: int

    def as_popen(self) -> dict[str, Any]:
        """The arguments with which `subprocess` starts a program as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def account() -> Account | None:
    """The user to switch to, or None when we are not root. Raises PairError when the system has no such user."""
    if os.geteuid() != 0:
        return None
    import pwd

    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise PairError(
        "Postgres refuses to run as root, and this system has neither a user postgres nor a user nobody",
        remedy="add one of them (useradd --system postgres), or run as an ordinary user",
    )


def named_stand_in() -> tuple[int, int] | None:
    """The uid and gid of a user with a name, when the current user has none: initdb requires a name.

    None when the user has a name, or is root and switches to another user anyway.
    """
    import pwd

    if os.geteuid() == 0:
        return None
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        entries = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]  # Postgres refuses root
        return (entries[0].pw_uid, entries[0].pw_gid) if entries else None
    return None


def state_directory() -> Path:
    """The directory of the state file, private to this user; created when missing."""
    return _private(state_file().parent, STATE_VARIABLE)


def cache_directory() -> Path:
    """The directory of templates, private to this user; created when missing."""
    return _private(cache_path(), "XDG_CACHE_HOME")


def cache_path() -> Path:
    """The path of the cache directory, which may not exist."""
    import platformdirs

    return _of_this_user(platformdirs.user_cache_dir)


def state_file() -> Path:
    """The path of the state file; neither it nor its directory need exist."""
    import platformdirs

    chosen = os.environ.get(STATE_VARIABLE)
    return (Path(chosen) if chosen else _of_this_user(platformdirs.user_state_dir)) / "pair.json"


def _of_this_user(directory: Callable[[str], str]) -> Path:
    try:
        return Path(directory(APP)).expanduser()
    except RuntimeError as error:
        raise PairError(
            f"this user (number {os.getuid()}) has no home directory: HOME is not set, and the system's user database "
            "has no entry",
            remedy="set HOME to a directory that you can write to",
        ) from error


def _private(directory: Path, variable: str) -> Path:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PairError(
            f"cannot make the directory {directory}: {error.strerror}",
            remedy=f"set {variable} to a directory that you can write to",
        ) from error
    return directory


def data_bases() -> list[Path]:
    """Candidate parents of data directories, the best first. The one in KIT_DATA_DIR need not exist."""
    chosen = os.environ.get(DATA_VARIABLE)
    # The supervisor that is given it has another working directory.
    return [Path(chosen).absolute()] if chosen else _usual_bases()


def all_bases() -> list[Path]:
    """Every directory in which a run of this user may have left data, whatever KIT_DATA_DIR is now."""
    return list(dict.fromkeys([*data_bases(), *_usual_bases()]))


def _usual_bases() -> list[Path]:
    named = [Path("/dev/shm"), Path(os.environ.get("XDG_RUNTIME_DIR", ""))]
    if os.geteuid() == 0:
        named += [Path("/run"), Path("/var/cache"), Path("/var/lib")]
    found = [path for path in named if path.is_absolute() and path.is_dir()]
    with suppress(PairError):  # without a writable home there is one candidate less
        found.append(cache_directory())
    return [path for path in found if os.access(path, os.W_OK | os.X_OK)]


def choose_data_base(user: Account | None) -> Path:
    """The first candidate with COMFORTABLE_MB free, else the roomiest. Raises PairError when that is too small."""
    bases = [base for base in data_bases() if user is None or is_open_to(base, user)]
    if not bases:
        raise PairError(
            "found no directory for the servers' data",
            wanted="one that is writable" + (f" and that the user {user.name} can enter" if user else ""),
            remedy=f"set {DATA_VARIABLE} to one",
        )
    for base in bases:
        if free_mb(base) >= COMFORTABLE_MB:
            return base
    roomiest = max(bases, key=free_mb)
    if free_mb(roomiest) == 0 and not roomiest.is_dir():
        raise PairError(
            f"{roomiest} does not exist", wanted=f"a directory in {DATA_VARIABLE}", remedy=f"mkdir {roomiest}"
        )
    if free_mb(roomiest) < SMALLEST_MB:
        raise PairError(
            f"{roomiest} has {free_mb(roomiest)} MB free",
            wanted=f"{SMALLEST_MB} MB for the data of two servers",
            remedy=f"free some space there, or set {DATA_VARIABLE} to a directory with enough space",
        )
    return roomiest


def free_mb(directory: Path) -> int:
    """Free space in megabytes; 0 when the directory does not exist."""
    try:
        return shutil.disk_usage(directory).free // 1_000_000
    except OSError:
        return 0


def is_open_to(path: Path, user: Account) -> bool:
    """Whether `user` can enter `path` and all its parents, as far as they exist."""
    return all(_can_enter(place.stat(), user) for place in _with_parents(path.resolve()) if place.exists())


def _with_parents(path: Path) -> Iterator[Path]:
    yield path
    yield from path.parents


def _can_enter(found: os.stat_result, user: Account) -> bool:
    if found.st_uid == user.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == user.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)
