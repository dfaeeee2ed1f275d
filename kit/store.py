"""The runs folder, and the only code that writes there.

    runs/
      latest -> 20260131-134501-3f2a      the last run that came to its end
      20260131-134501-3f2a/
        01_the_failure.ipynb .html        executed notebooks
        findings.json junit.xml index.html
        evidence/                         what each trial left behind, shared by the notebooks of one run
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kit.errors import EvidenceError

RUNS = Path("runs")
LATEST = "latest"
FINDINGS = "findings.json"
EVIDENCE = "evidence"
FORMAT = 1  # 1: first
SHELF_VARIABLE = "KIT_SHELF"
RUN_VARIABLE = "KIT_RUN_FOLDER"
FRESH_VARIABLE = "KIT_FRESH"


@dataclass(frozen=True, slots=True)
class Run:
    """One run's folder."""

    folder: Path

    @property
    def id(self) -> str:
        """The run's name: when it began, in UTC, and four letters to tell it from another."""
        return self.folder.name

    @property
    def shelf(self) -> Shelf:
        """Where the notebooks of this run share results."""
        return Shelf(self.folder / EVIDENCE)

    def path(self, name: str) -> Path:
        """Return the place of a file of this run."""
        return self.folder / name

    def write(self, name: str, text: str) -> Path:
        """Write a file whole: a reader sees the old text or the new one, never a part."""
        path = self.path(name)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")  # of halves of surrogate pairs
        beside.replace(path)
        return path

    def point_latest_here(self) -> None:
        """Make `latest` a link to this run."""
        beside = self.folder.parent / f".{LATEST}.{secrets.token_hex(4)}"
        beside.symlink_to(self.folder.name, target_is_directory=True)
        beside.replace(self.folder.parent / LATEST)


def new_run(out: Path = RUNS) -> Run:
    """Make a new run's folder in `out`, an absolute path whatever `out` is."""
    began = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = out.resolve() / f"{began}-{secrets.token_hex(2)}"
    folder.mkdir(parents=True)
    return Run(folder)


def findings(run: Path | None = None) -> dict[str, Any]:
    """Return the findings of a run; None means the one that is under way, else the latest in `runs`.

    That is the `runs` of this folder, or of the nearest one above it, for a notebook runs in a folder of its own.
    Raises EvidenceError when there is none, or when its format is another.
    """
    folder = run or Path(os.environ.get(RUN_VARIABLE) or _latest(Path.cwd()))
    path = folder / FINDINGS
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise EvidenceError(f"There is no {path}", remedy="run `kit investigate` first") from None
    except ValueError as error:
        raise EvidenceError(f"{path} is not JSON: {error}", remedy="run `kit investigate` again") from None
    if found.get("format") != FORMAT:
        raise EvidenceError(
            f"{path} has format {found.get('format')}", wanted=f"format {FORMAT}", remedy="run `kit investigate` again"
        )
    return found


def _latest(here: Path) -> Path:
    places = (directory / RUNS / LATEST for directory in (here, *here.parents))
    return next((place for place in places if place.exists()), RUNS / LATEST)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of texts under keys, shared by processes: what one of them makes, no other makes again."""

    folder: Path

    @classmethod
    def of_this_run(cls) -> Shelf | None:
        """Return the shelf that `kit investigate` gave to this kernel; None elsewhere, where nothing is shared."""
        named = os.environ.get(SHELF_VARIABLE)
        return cls(Path(named)) if named else None

    def get_or_make(self, key: str, make: Callable[[], str]) -> str:
        """Return the text under `key`, making it when there is none; who comes meanwhile waits for it.

        `make` may raise, and then nothing is kept, so that the next one tries again.
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
        """Return the text under `key`; None when there is none yet."""
        path = self._path(key)
        return path.read_text("utf-8") if path.exists() else None

    def put(self, key: str, text: str) -> None:
        """Keep a text under `key`, in place of what may be there."""
        path = self._path(key)
        self.folder.mkdir(parents=True, exist_ok=True)
        Run(self.folder).write(path.name, text)

    def _path(self, key: str) -> Path:
        if not re.fullmatch(r"[\w.-]+", key):
            raise ValueError(f"{key!r} is no name for a file")
        return self.folder / f"{key}.json"
