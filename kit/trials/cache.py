"""Evidence cached in a run's folder, under a digest of everything that it depends on.

A repeated request for the same trial of the same code, by any process of the same run, gets the cached evidence.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from kit.errors import EvidenceError
from kit.evidence import model as record
from kit.evidence.model import Evidence
from kit.pair import Pair
from kit.specimens.build import project
from kit.specimens.trial import Trial
from kit.trials.run_folder import EVIDENCE, FRESH_VARIABLE, Shelf
from kit.trials.stacks import Stack

KIT = Path(__file__).parents[1]
# The code that decides how a trial runs and what is recorded. The specimen, its mechanisms and its attempts are in the
# text of the trial's project.
CODE = (
    "pair", "probes", "evidence", "trials/worker", "trials/fork_server.py", "trials/workspace.py", "specimens/trial.py",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shared:
    """The cached evidence for one set of settings. With `fresh`, each trial is run, and cached only for the record."""

    shelf: Shelf
    common: str
    fresh: bool

    def get(self, trial: Trial) -> Evidence | None:
        """The cached evidence of this trial; None if there is none."""
        kept = None if self.fresh else self.shelf.get(self.key(trial))
        return record.from_json(kept.encode()) if kept is not None else None

    def get_or_make(self, trial: Trial, make: Callable[[], Evidence]) -> Evidence:
        """The evidence of this trial, cached or new. Concurrent requests for the same trial wait for the first."""
        if self.fresh:
            made = make()
            self.shelf.put(self.key(trial), record.to_json(made).decode())
            return made
        kept = self.shelf.get_or_make(self.key(trial), lambda: record.to_json(make()).decode())
        return record.from_json(kept.encode())

    def key(self, trial: Trial) -> str:
        """The key under which the evidence of a trial is cached."""
        parts = [self.common, json.dumps(asdict(trial)), *project(trial.mechanisms, trial.attempt).values()]
        return digest(parts)


def shared(pair: Pair, stacks: Iterable[Stack], settings: Mapping[str, object], *, fresh: bool) -> Shared | None:
    """The cache that notebooks of this run share; None when this process belongs to no run."""
    shelf = Shelf.of_this_run()
    if shelf is None:
        return None
    # Not their identity: each kernel may have a pair of its own.
    servers = [side.identity.version for side in pair.sides]
    environments = [[stack.name, str(stack.python), sorted(stack.versions.items())] for stack in stacks]
    common = json.dumps([servers, environments, sorted(settings.items()), code_digest()])
    return Shared(shelf, common, fresh or os.environ.get(FRESH_VARIABLE, "") not in ("", "0"))


def kept(run: Path) -> Iterator[Evidence | EvidenceError]:
    """All cached evidence of a run, to judge it again; an EvidenceError in place of each unreadable file.

    Raises EvidenceError when there is none.
    """
    paths = sorted((run / EVIDENCE).glob("*.json"))
    if not paths:
        raise EvidenceError(f"There is no evidence in {run}", remedy="name a folder of `kit investigate`, runs/<id>")
    return (_loaded(path) for path in paths)


def _loaded(path: Path) -> Evidence | EvidenceError:
    try:
        return record.load(path)
    except EvidenceError as error:
        return error


def code_digest(folder: Path = KIT) -> str:
    """A digest of the code that runs trials."""
    paths = (path for name in CODE for path in (folder / name, *(folder / name).rglob("*.*")))
    files = [path for path in paths if path.suffix in (".py", ".sql")]
    return digest(f"{path.relative_to(folder)}\n{path.read_text('utf-8')}" for path in sorted(files))


def digest(parts: Iterable[str]) -> str:
    """A digest of strings and their order."""
    sums = hashlib.sha256()
    for part in parts:
        sums.update(hashlib.sha256(part.encode()).digest())
    return sums.hexdigest()[:32]
