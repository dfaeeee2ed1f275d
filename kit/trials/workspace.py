"""A workspace: runs trials of one stack, one at a time, each with a project folder and databases of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kit.evidence import collect
from kit.evidence.model import Backend, Evidence, Rows
from kit.pair import Pair, ServerLog
from kit.pair.rows import count_sites
from kit.pair.slots import Slot
from kit.specimens.build import write_project
from kit.specimens.trial import Trial
from kit.trials.fork_server import Ended, ParentAddress
from kit.workfolder import workfolder

INJECT = Path(__file__).parents[1] / "probes" / "inject"
_INHERITED = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "SYSTEMROOT")
PLUGINS = ("pytest_asyncio.plugin", "pytest_fastapi_deps")
"""The pytest plugins of every trial. No other one that is installed is loaded: it may change what the tests do."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A pair that no other trial uses at the same time, and the parent that starts trials. Can be pickled."""

    pair: Pair
    parent: ParentAddress

    def run(self, trial: Trial, *, timeout_s: float, without: tuple[str, ...] = ()) -> Evidence:
        """Build the trial's project, run it with the probes, and return what both witnesses saw.

        `without` names probes to leave out. Raises PairError when the databases cannot be reset, or do not answer.
        """
        if isinstance(self.pair, Slot):
            self.pair.reset()
        before = count_sites(self.pair)
        with workfolder("kit-trial-") as workspace:
            project, seen = workspace / "project", workspace / "seen"
            project.mkdir()
            seen.mkdir()
            write_project(project, trial.mechanisms, trial.attempt)
            environ = {
                **trial_environ(self.pair, self.parent.python), **probe_environ(seen, time.time(), without),
            }
            with _watched(self.pair) as logged:
                ended = self.parent.run(trial.command(self.parent.python), environ, project, timeout_s)
                if ended.exit_code is None and isinstance(self.pair, Slot):
                    self.pair.end_sessions()
            after = count_sites(self.pair)
            evidence = collect.from_probes(seen, project)
        return replace(
            evidence, trial=trial, command=trial.command("python"), exit_code=ended.exit_code,
            timed_out=ended.timed_out, duration_s=round(ended.duration_s, 3), output=ended.output,
            forked=ended.forked, why_not_forked=ended.why_not, backends=logged.backends(),
            rows=tuple(Rows(side=side, before=before[side], after=after[side]) for side in before),
            sides=collect.sides_of(self.pair), problems=(*evidence.problems, *_problems(ended)),
        )


def base_environ(python: str) -> dict[str, str]:
    """The environment that all trials share: a few variables of this process, their Python, their plugins."""
    environ = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", os.defpath)])
    plugins = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": ",".join(PLUGINS),
        "PYTEST_ADDOPTS": "-p no:cacheprovider",  # what it writes is for the next run, which has another folder
    }
    return {**environ, **plugins, "PATH": path, "PYTHON": python, "PYTHONDONTWRITEBYTECODE": "1"}


def trial_environ(pair: Pair, python: str) -> dict[str, str]:
    """The environment of a trial: the shared variables and the specimen's own, and no others."""
    return {
        **base_environ(python),
        "PRODUCTION_DATABASE_URL": pair.production.url("asyncpg"),
        "TEST_DATABASE_URL": pair.test.url("asyncpg"),
    }


def probe_environ(seen: Path, epoch: float, without: Iterable[str] = ()) -> dict[str, str]:
    """The variables that load the probes into every Python process of a run."""
    return {
        "PYTHONPATH": str(INJECT),
        "ISOLATION_PROBES_DIR": str(seen),
        "ISOLATION_PROBES_EPOCH": repr(epoch),
        "ISOLATION_PROBES_WITHOUT": ",".join(without),
    }


def _problems(ended: Ended) -> Iterator[str]:
    if ended.problem is not None:
        yield f"the run did not end by itself: {ended.problem}"
    if ended.left:
        yield f"the run left {ended.left} processes behind, which were killed"


class _Logged:
    """The servers' logs of one pair's databases, from the start of a run to its end."""

    def __init__(self, pair: Pair) -> None:
        self._logs = {side.name: ServerLog(side.log) for side in pair.sides if side.log is not None}
        self._databases = {side.name: side.database for side in pair.sides}
        self._complete = len(self._logs) == len(pair.sides)
        self._begun = {name: log.position() for name, log in self._logs.items()}
        self._ended: dict[str, int] = {}

    def end(self) -> None:
        self._ended = {name: log.position() for name, log in self._logs.items()}

    def backends(self) -> tuple[Backend, ...] | None:
        """Count the logged entries; None if a log cannot be read. Other slots' trials write to the same logs."""
        if not self._complete:
            return None
        return collect.from_logs({
            name: [
                line for line in log.read(self._begun[name], self._ended[name])
                if line.database == self._databases[name]
            ]
            for name, log in self._logs.items()
        })


@contextmanager
def _watched(pair: Pair) -> Iterator[_Logged]:
    logged = _Logged(pair)
    try:
        yield logged
    finally:
        logged.end()
