"""The runs folder. Only this module writes to it.

    runs/
      latest -> 20260131-134501-3f2a      the last run that completed
      20260131-134501-3f2a/
        01_the_failure.ipynb .html        executed notebooks
        claims.json junit.xml index.html
        evidence/                         the evidence of each trial, shared by the notebooks of one run
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict, cast

import msgspec

from kit.errors import EvidenceError
from kit.typed import typed

RUNS = Path("runs")
LATEST = "latest"
CLAIMS = "claims.json"
EVIDENCE = "evidence"
FORMAT = 1  # 1: first
ROOM_BYTES = 4_000_000
"""A folder for runs with less room than this is full: not even a run of one notebook fits there."""
SHELF_VARIABLE = "KIT_SHELF"
RUN_VARIABLE = "KIT_RUN_FOLDER"
FRESH_VARIABLE = "KIT_FRESH"


@dataclass(frozen=True, slots=True)
class Run:
    """The folder of one run."""

    folder: Path

    @property
    def id(self) -> str:
        """The name of the run: its start in UTC, and four random characters."""
        return self.folder.name

    @property
    def shelf(self) -> Shelf:
        """The shelf where the notebooks of this run share results."""
        return Shelf(self.folder / EVIDENCE)

    def path(self, name: str) -> Path:
        """Return the path of a file of this run."""
        return self.folder / name

    def write(self, name: str, text: str) -> Path:
        """Write a file atomically: a reader sees the old text or the new one, never a part."""
        path = self.path(name)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            beside.write_text(text, encoding="utf-8", errors="backslashreplace")  # escapes lone surrogates
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise _not_writable(path, error) from error
        return path

    def link_latest(self) -> None:
        """Make `latest` a link to this run. Raises EvidenceError on failure; the link then stays as it was."""
        _check_link(self.folder.parent)
        beside = self.folder.parent / f".{LATEST}.{secrets.token_hex(4)}"
        try:
            beside.symlink_to(self.folder.name, target_is_directory=True)
            beside.replace(self.folder.parent / LATEST)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise _not_writable(self.folder.parent / LATEST, error) from error


@contextmanager
def new_run(out: Path = RUNS, name: str | None = None) -> Iterator[Run]:
    """A new folder for a run in `out`, with an absolute path; removed again if it stays empty.

    `name` is the folder's name, by default the present time and four random characters. Raises EvidenceError when no
    writable folder can be made.
    """
    _check_link(out)
    began = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = out.resolve() / (name or f"{began}-{secrets.token_hex(2)}")
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        try:
            folder.mkdir(parents=True)
            _check_space(folder)
        except OSError as error:
            raise _not_writable(folder, error) from error
        yield Run(folder)
    finally:
        with suppress(OSError):  # it is not empty, or was not made
            for place in made:
                place.rmdir()


def _check_link(out: Path) -> None:
    """Raise EvidenceError where something of the user's has the name of the link to the last run."""
    latest = out / LATEST
    if os.path.lexists(latest) and not latest.is_symlink():
        raise EvidenceError(
            f"{latest} is a {'folder' if latest.is_dir() else 'file'}, which the kit did not make",
            wanted="that name for a link to the last run",
            remedy=f"move {latest} elsewhere, or name another folder for runs (--out DIR)",
        )


def _check_space(folder: Path) -> None:
    """Check that there is space for a small run, by writing and removing a file. Raises OSError if there is not."""
    probe = folder / ".room"
    try:
        with probe.open("wb") as file:
            file.write(bytes(ROOM_BYTES))
    finally:
        probe.unlink(missing_ok=True)


def _not_writable(path: Path, error: OSError) -> EvidenceError:
    return EvidenceError(
        f"{path} cannot be written: {error.strerror or error}",
        wanted=f"a writable folder for runs, with {ROOM_BYTES // 1_000_000} MB of free space",
        remedy="name another one (--out DIR), or make room there",
    )


def claims(run: Path | None = None) -> dict[str, Any]:
    """Return the claims of a run; None means the current run, else the latest one in `runs`.

    `runs` is searched here and in the parent folders, because a notebook runs in a folder of its own. Raises
    EvidenceError when there is none, or its format is another.
    """
    folder = run or Path(os.environ.get(RUN_VARIABLE) or _latest(Path.cwd()))
    path = folder / CLAIMS
    again = "run `kit investigate` again"
    try:
        found: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise EvidenceError(f"There is no {path}", remedy="run `kit investigate` first") from None
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror}", remedy="name another run") from None
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"{path} is not JSON: {error}", remedy=again) from None
    number = found.get("format") if isinstance(found, dict) else None
    if isinstance(found, dict) and number != FORMAT:
        raise EvidenceError(f"{path} has format {number}", wanted=f"format {FORMAT}", remedy=again)
    try:
        typed(found, _Findings)
    except msgspec.ValidationError as error:
        raise EvidenceError(f"{path} does not hold claims: {error}", remedy=again) from None
    return cast("dict[str, Any]", found)


class _Claim(TypedDict):
    id: str
    notebook: str
    claim: str
    expected: Any
    observed: Any
    held: bool
    trials: int
    seconds: float


class _Findings(TypedDict):
    """The part of the claims that readers rely on; the file has more."""

    stack: dict[str, str]
    claims: list[_Claim]


def _latest(here: Path) -> Path:
    places = (directory / RUNS / LATEST for directory in (here, *here.parents))
    return next((place for place in places if place.exists()), RUNS / LATEST)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of texts by key, shared by processes, so that each text is made only once."""

    folder: Path

    @classmethod
    def of_this_run(cls) -> Shelf | None:
        """Return the shelf that `kit investigate` gave to this kernel; None elsewhere."""
        named = os.environ.get(SHELF_VARIABLE)
        return cls(Path(named)) if named else None

    def get_or_make(self, key: str, make: Callable[[], str]) -> str:
        """Return the text under `key`, making it if there is none; concurrent callers wait for it.

        When `make` raises, nothing is stored, so that the next caller tries again.
        """
        path = self._path(key)
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f".{key}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path.read_text("utf-8")
            made = make()
            Run(self.folder).write(path.name, made)
            return made

    def get(self, key: str) -> str | None:
        """Return the text under `key`; None if there is none yet."""
        path = self._path(key)
        return path.read_text("utf-8") if path.exists() else None

    def put(self, key: str, text: str) -> None:
        """Store a text under `key`, replacing the present one."""
        path = self._path(key)
        self.folder.mkdir(parents=True, exist_ok=True)
        Run(self.folder).write(path.name, text)

    def _path(self, key: str) -> Path:
        if not re.fullmatch(r"[\w.-]+", key):
            raise ValueError(f"{key!r} is not a valid file name")
        return self.folder / f"{key}.json"
