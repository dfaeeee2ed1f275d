"""Cached data directories, one per side, so that a start need not run initdb.

A copy gets its own system identifier (`kit.pair.identifiers`), cluster name and passwords; a template's password is
only used to set them.
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
BLOCKS = "512"  # of 512 bytes: larger than the default, which saves a quarter of the time
LAYOUT = "1"  # raised when the content of a template changes other than by the SQL files


@dataclass(frozen=True, slots=True)
class Template:
    """The archives of both sides, which may not exist yet. `password` is the superuser's until a run sets its own."""

    directory: Path | None
    password: str = field(repr=False)
    user: Account | None
    is_kept: bool = False

    @classmethod
    def of(cls, binaries: Binaries, user: Account | None) -> Template:
        """The template for these programs, SQL files and user. Without a writable cache, keep() does nothing."""
        from kit.pair.connect import new_password

        try:
            directory = cache_directory() / f"{PREFIX}{_key(binaries, user)}"
        except PairError:
            return cls(None, new_password(), user)
        kept = _password_of(directory)
        return cls(directory, kept or new_password(), user, is_kept=kept is not None)

    def keep(self, data: Mapping[SideName, Path]) -> None:
        """Archive the data directories of two stopped servers. Of several concurrent runs, the first one's is kept.

        Without space for it, or without tar, nothing is kept, and the next start runs initdb again.
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
        """The arguments with which `tar` fills a side's empty data directory, and the file for its standard input.

        Not by path, because the servers' user may not enter root's cache.
        """
        assert self.directory is not None
        os.utime(self.directory)  # marks it as used, for prune()
        return ["-b", BLOCKS, "-xpf", "-", "-C", str(data)], self.directory / f"{side}.tar"


def prune(cache: Path, *, keep: Path) -> None:
    """Remove templates unused for `UNUSED_DAYS` days, such as those of replaced programs."""
    for directory in cache.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another run is pruning too
            if directory != keep and time.time() - directory.stat().st_mtime > UNUSED_DAYS * 86_400:
                shutil.rmtree(directory)


def _write_record(directory: Path, password: str) -> None:
    """Write the record as the last file: a template with a matching record is complete."""
    record = {"password": password, "bytes": _sizes(directory)}
    with os.fdopen(os.open(directory / RECORD, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(record, file)


def _password_of(directory: Path) -> str | None:
    """The password of a complete template, or None."""
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
            env=server_environment() | {"COPYFILE_DISABLE": "1"},  # no macOS metadata as extra files
        )


def _key(binaries: Binaries, user: Account | None) -> str:
    program = os.stat(binaries.postgres)
    digest = hashlib.sha256()
    for word in (LAYOUT, binaries.postgres, program.st_size, program.st_mtime_ns, user.uid if user else os.geteuid()):
        digest.update(f"{word}\0".encode())
    for name in sorted({name for names in FILES.values() for name in names}):
        digest.update((SQL / name).read_bytes())
    return digest.hexdigest()[:16]
