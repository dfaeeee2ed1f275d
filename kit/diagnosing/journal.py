"""The results of a diagnosis' re-runs, kept so that the same command can continue an interrupted diagnosis.

Kept for a day in the user's cache, for this user alone. It holds what is shown on the screen, and neither source,
variables nor records. It applies only if nothing has changed on which the runs depend: the command, its folder and
environment, the allow-list, the project's text files, the interpreters, and the results of the first run.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from kit.errors import PairError
from kit.pair.places import cache_path

KEPT_S = 24 * 3600.0
_FOLDER = "diagnoses"
_TEXTS = (".py", ".toml", ".ini", ".cfg", ".yml", ".yaml", ".sh", ".sql", ".env")
_NAMED = ("Makefile", "Dockerfile", ".envrc")
_BYTES_AT_MOST = 1_000_000
_TEXTS_AT_MOST = 20_000


class RunResult(msgspec.Struct, frozen=True):
    """The result of one run.

    `idle` are the labels of interventions without effect, `still` the tests that still show the symptom.
    """

    effect: str
    reason: str
    duration_s: float
    remedy: bool = False
    idle: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    nowhere: bool = False


@dataclass
class Journal:
    """The kept results of one diagnosis, in `file`. Each run is written immediately, so that SIGKILL loses none."""

    file: Path | None = None
    _known: dict[str, list[RunResult]] = field(default_factory=dict)
    _asked: dict[str, int] = field(default_factory=dict)

    def take(self, left_out: Sequence[str], labels: Sequence[str]) -> RunResult | None:
        """The kept result of the n-th equal run at the n-th call; None when there is none."""
        key = _digest([list(left_out), list(labels)])
        number = self._asked.get(key, 0)
        self._asked[key] = number + 1
        return dict(enumerate(self._known.get(key, ()))).get(number)

    def add(self, left_out: Sequence[str], labels: Sequence[str], shown: RunResult) -> None:
        """Record the result of a run. Does nothing when the cache cannot be written."""
        if self.file is None:
            return
        line = msgspec.json.encode([_digest([list(left_out), list(labels)]), shown]) + b"\n"
        with suppress(OSError):
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with open(descriptor, "ab") as file:
                file.write(line)

    def end(self) -> None:
        """The diagnosis is complete: remove the file."""
        if self.file is not None:
            with suppress(OSError):
                self.file.unlink(missing_ok=True)


def opened(place: Path, about: Any, fresh: bool = False) -> Journal:
    """Open the journal of a diagnosis in `place` that is identified by `about` (JSON values); remove expired ones.

    With `fresh`, kept results are discarded. Nothing is kept when the project has too many files to compare, or when
    this user has no folder for it.
    """
    try:
        folder = cache_path() / _FOLDER
    except PairError:  # this user has no home
        return Journal()
    _sweep(folder)
    texts = list(islice(_texts(place), _TEXTS_AT_MOST + 1))
    if len(texts) > _TEXTS_AT_MOST:
        return Journal()
    file = folder / f"{_digest([str(place), about, texts])}.jsonl"
    if fresh:
        with suppress(OSError):
            file.unlink(missing_ok=True)
    return Journal(file, _read(file))


def _read(file: Path) -> dict[str, list[RunResult]]:
    known: dict[str, list[RunResult]] = {}
    with suppress(OSError):
        for line in file.read_bytes().splitlines():
            with suppress(msgspec.DecodeError):  # a line cut off when its process was killed
                key, shown = msgspec.json.decode(line, type=tuple[str, RunResult])
                known.setdefault(key, []).append(shown)
    return known


def _sweep(folder: Path) -> None:
    with suppress(OSError):
        for file in list(folder.iterdir()):
            if time.time() - file.stat().st_mtime > KEPT_S:
                file.unlink(missing_ok=True)


def _texts(place: Path) -> Iterator[tuple[str, str]]:
    """Each text file of the project that a run may read, with a digest of its content."""
    for folder, folders, files in os.walk(place):
        here = Path(folder)
        folders[:] = sorted(
            name for name in folders
            if not name.startswith(".") and name not in ("__pycache__", "node_modules")
            and not (here / name / "pyvenv.cfg").is_file()
        )  # fmt: skip
        for name in sorted(files):
            path = here / name
            if name.endswith(_TEXTS) or name in _NAMED or name.startswith(".env"):
                with suppress(OSError):
                    if path.is_file() and path.stat().st_size <= _BYTES_AT_MOST:
                        yield str(path.relative_to(place)), hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
