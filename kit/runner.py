"""Runs a trial in a fresh interpreter, in a project folder of its own, and brings back the evidence.

A hung or dead trial costs its own time limit and nothing else; it gives evidence that decides nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from kit import collect
from kit.evidence import Backend, Evidence
from kit.mechanisms import write_project
from kit.pair import Pair, ServerLog
from kit.probes.redact import redact
from kit.stacks import stack
from kit.trial import Trial

CARRIED = Path(__file__).parent / "carried"
TIMEOUT_S = 60.0
_OUTPUT_KEPT = 20_000  # characters, from the end
_INHERITED = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. `exit_code` is negative for a signal; None when it was ended at its time limit."""

    exit_code: int | None
    duration_s: float
    output: str


def run(trial: Trial, pair: Pair, *, timeout_s: float = TIMEOUT_S, without: Iterable[str] = ()) -> Evidence:
    """Build the trial's project, run it with the probes in, and return what both witnesses saw.

    `without` names probes that are left out, to see that a verdict then is UNRESOLVED.
    """
    with _workspace() as workspace:
        project, seen = workspace / "project", workspace / "seen"
        project.mkdir()
        seen.mkdir()
        write_project(project, trial.mechanisms, trial.attempt)
        python = str(stack(trial.stack).python)
        epoch = time.time()
        environ = {
            **trial_environ(pair, python), **probe_environ(seen, epoch, without),
        }
        with _watched(pair) as logged:
            ended = execute(trial.command(python), environ, project, workspace / "output", timeout_s)
        evidence = collect.from_probes(seen, project)
        return replace(
            evidence, trial=trial, command=trial.command("python"), exit_code=ended.exit_code,
            timed_out=ended.exit_code is None, duration_s=round(ended.duration_s, 3), output=ended.output,
            backends=logged.backends(), sides=collect.sides_of(pair),
        )


def trial_environ(pair: Pair, python: str) -> dict[str, str]:
    """The environment of a trial: a few variables of this process's own, and what the specimen is told. No more."""
    environ = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", os.defpath)])
    return {
        **environ,
        "PATH": path,
        "PYTHON": python,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PRODUCTION_DATABASE_URL": pair.production.url("asyncpg"),
        "TEST_DATABASE_URL": pair.test.url("asyncpg"),
    }


def probe_environ(seen: Path, epoch: float, without: Iterable[str] = ()) -> dict[str, str]:
    """The variables that carry the probes into every Python process of a run."""
    return {
        "PYTHONPATH": str(CARRIED),
        "ISOLATION_PROBES_DIR": str(seen),
        "ISOLATION_PROBES_EPOCH": repr(epoch),
        "ISOLATION_PROBES_WITHOUT": ",".join(without),
    }


def execute(
    command: Iterable[str], environ: Mapping[str, str], folder: Path, output: Path, timeout_s: float,
) -> Ended:
    """Run a command in a process group of its own; at the time limit the whole group is killed."""
    began = time.perf_counter()
    with output.open("wb") as file:
        process = subprocess.Popen(
            tuple(command), cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, stdout=file,
            stderr=subprocess.STDOUT, start_new_session=True,
        )
        try:
            exit_code: int | None = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            exit_code = None
        finally:
            _end_group(process)
    text = output.read_bytes()[-4 * _OUTPUT_KEPT:].decode(errors="replace")[-_OUTPUT_KEPT:]
    return Ended(exit_code, time.perf_counter() - began, redact(text))


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a process's group; the process itself is waited for."""
    with suppress(ProcessLookupError):  # all of the group may have ended by itself
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _workspace() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kit-trial-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Logged:
    """The servers' logs from the beginning of a run to its end."""

    def __init__(self, pair: Pair) -> None:
        self._logs = {side.name: ServerLog(side.log) for side in pair.sides if side.log is not None}
        self._complete = len(self._logs) == len(pair.sides)
        self._begun = {name: log.position() for name, log in self._logs.items()}
        self._ended: dict[str, int] = {}

    def end(self) -> None:
        self._ended = {name: log.position() for name, log in self._logs.items()}

    def backends(self) -> tuple[Backend, ...] | None:
        if not self._complete:
            return None
        return collect.from_logs({
            name: log.read(self._begun[name], self._ended[name]) for name, log in self._logs.items()
        })


@contextmanager
def _watched(pair: Pair) -> Iterator[_Logged]:
    logged = _Logged(pair)
    try:
        yield logged
    finally:
        logged.end()
