"""Evidence that is kept in a run's folder, under a name made of everything that it depends on.

A second request for the same trial of the same code, in this process or another of the same run, gets it.
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
# What decides how a trial is run and what is seen of it. The specimen, its mechanisms and its attempts are in the
# text of the trial's project.
CODE = (
    "pair", "probes", "evidence", "trials/worker", "trials/fork_server.py", "trials/workspace.py", "specimens/trial.py",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shared:
    """The kept evidence of one way to run trials. `fresh` means that each is run, and kept for the record only."""

    shelf: Shelf
    common: str
    fresh: bool

    def get(self, trial: Trial) -> Evidence | None:
        """The evidence that is kept of this trial; None where there is none."""
        kept = None if self.fresh else self.shelf.get(self.key(trial))
        return record.from_json(kept.encode()) if kept is not None else None

    def get_or_make(self, trial: Trial, make: Callable[[], Evidence]) -> Evidence:
        """The evidence of this trial: kept, or made now and kept. Who asks meanwhile waits for it."""
        if self.fresh:
            made = make()
            self.shelf.put(self.key(trial), record.to_json(made).decode())
            return made
        kept = self.shelf.get_or_make(self.key(trial), lambda: record.to_json(make()).decode())
        return record.from_json(kept.encode())

    def key(self, trial: Trial) -> str:
        """The name under which the evidence of a trial is kept."""
        parts = [self.common, json.dumps(asdict(trial)), *project(trial.mechanisms, trial.attempt).values()]
        return digest(parts)


def shared(pair: Pair, stacks: Iterable[Stack], settings: Mapping[str, object], *, fresh: bool) -> Shared | None:
    """What notebooks of this run share; None where this process belongs to no run."""
    shelf = Shelf.of_this_run()
    if shelf is None:
        return None
    servers = [side.identity.version for side in pair.sides]  # kernels may have pairs of their own
    environments = [[stack.name, str(stack.python), sorted(stack.versions.items())] for stack in stacks]
    common = json.dumps([servers, environments, sorted(settings.items()), code_digest()])
    return Shared(shelf, common, fresh or os.environ.get(FRESH_VARIABLE, "") not in ("", "0"))


def kept(run: Path) -> Iterator[Evidence | EvidenceError]:
    """All the evidence that a run has kept, to judge it again; in the place of what cannot be read, why not.

    EvidenceError where there is none.
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
    """A name for the code that runs trials: another as soon as a character of it is another."""
    paths = (path for name in CODE for path in (folder / name, *(folder / name).rglob("*.*")))
    files = [path for path in paths if path.suffix in (".py", ".sql")]
    return digest(f"{path.relative_to(folder)}\n{path.read_text('utf-8')}" for path in sorted(files))


def digest(parts: Iterable[str]) -> str:
    """A name for texts in their order."""
    sums = hashlib.sha256()
    for part in parts:
        sums.update(hashlib.sha256(part.encode()).digest())
    return sums.hexdigest()[:32]
