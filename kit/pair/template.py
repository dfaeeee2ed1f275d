"""Ready data directories, one per side and kept in the user's cache, so that a start need not run initdb.

A copy gets a system identifier (`kit.pair.identifiers`), a cluster name and passwords of its own; a template's password
only serves to set them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kit.errors import PairError
from kit.pair.binaries import Binaries, server_environment
from kit.pair.model import SIDES, SideName
from kit.pair.places import Account, cache_directory
from kit.pair.populate import FILES, SQL

PREFIX = "template-"
RECORD = "template.json"
UNUSED_DAYS = 14
BLOCKS = "512"  # of 512 bytes: larger reads and writes than usual save a quarter of the time
LAYOUT = "1"  # raised when what a template holds changes otherwise than by the SQL files


@dataclass(frozen=True, slots=True)
class Template:
    """Both sides' archives, or the place for them; `password` is their superuser's, until a run sets its own."""

    directory: Path | None
    password: str = field(repr=False)
    user: Account | None
    is_kept: bool = False

    @classmethod
    def of(cls, binaries: Binaries, user: Account | None) -> Template:
        """The template for these programs, SQL files and user; without a writable cache, one that is never kept."""
        from kit.pair.connect import new_password

        try:
            directory = cache_directory() / f"{PREFIX}{_key(binaries, user)}"
        except PairError:
            return cls(None, new_password(), user)
        kept = _password_of(directory)
        return cls(directory, kept or new_password(), user, is_kept=kept is not None)

    def keep(self, data: Mapping[SideName, Path]) -> None:
        """Archive the data directories of two stopped servers; the first of several runs at once wins.

        Without room for it, or without tar, nothing is kept and the next start is a first one again.
        """
        if self.directory is None:
            return
        cache = self.directory.parent
        with (
            suppress(OSError),
            tempfile.TemporaryDirectory(prefix=f"{PREFIX}new-", dir=cache, ignore_cleanup_errors=True) as building,
        ):
            packing = [_pack(Path(building, f"{side}.tar"), data[side]) for side in SIDES]
            if [process.wait() for process in packing] == [0, 0]:
                _write_record(Path(building), self.password)
                if _password_of(self.directory) is None:
                    self.discard()
                    os.rename(building, self.directory)
        prune(cache, keep=self.directory)

    def discard(self) -> None:
        """Remove a template that cannot be unpacked."""
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def unpacking(self, side: SideName, data: Path) -> tuple[list[str], Path]:
        """What `tar` is told to fill the empty data directory of a side, and the file that it reads.

        By its input, because the servers' user may not enter root's cache.
        """
        assert self.directory is not None
        os.utime(self.directory)  # used now, which prune() asks for
        return ["-b", BLOCKS, "-xpf", "-", "-C", str(data)], self.directory / f"{side}.tar"


def prune(cache: Path, *, keep: Path) -> None:
    """Remove templates that no start has used for `UNUSED_DAYS`, such as those of programs since replaced."""
    for directory in cache.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another run is pruning too
            if directory != keep and time.time() - directory.stat().st_mtime > UNUSED_DAYS * 86_400:
                shutil.rmtree(directory)


def _write_record(directory: Path, password: str) -> None:
    """Write, last of all, what a template holds: a template with its record is whole."""
    record = {"password": password, "bytes": _sizes(directory)}
    with os.fdopen(os.open(directory / RECORD, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(record, file)


def _password_of(directory: Path) -> str | None:
    """The password of a template that is whole, or None."""
    try:
        record = json.loads((directory / RECORD).read_text())
        return str(record["password"]) if record["bytes"] == _sizes(directory) else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _sizes(directory: Path) -> dict[str, int]:
    return {side: (directory / f"{side}.tar").stat().st_size for side in SIDES}


def _pack(archive: Path, data: Path) -> subprocess.Popen[bytes]:
    descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        return subprocess.Popen(
            ["tar", "-b", BLOCKS, "-cf", "-", "-C", str(data), "."],
            stdout=file,
            stderr=subprocess.DEVNULL,
            env=server_environment() | {"COPYFILE_DISABLE": "1"},  # no metadata of macOS as extra files
        )


def _key(binaries: Binaries, user: Account | None) -> str:
    program = os.stat(binaries.postgres)
    digest = hashlib.sha256()
    for word in (LAYOUT, binaries.postgres, program.st_size, program.st_mtime_ns, user.uid if user else os.geteuid()):
        digest.update(f"{word}\0".encode())
    for name in sorted({name for names in FILES.values() for name in names}):
        digest.update((SQL / name).read_bytes())
    return digest.hexdigest()[:16]
