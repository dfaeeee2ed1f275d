"""The runs: the command unchanged, and again with interventions in memory, within time limits."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import msgspec

from kit.analysis.databases import allowed
from kit.answer.model import Answer
from kit.detectors.planning.candidate import NOWHERE
from kit.diagnosing.budget import Budget
from kit.diagnosing.outside.keeper import Keeper
from kit.diagnosing.search import OutOfRuns
from kit.probes.allow import AllowList, entry_for_server
from kit.probes.environ import names_a_database, shown
from kit.probes.interventions import INTERVENTIONS_VARIABLE
from kit.probes.interventions.base import WORKSPACE, Intervention
from kit.probes.interventions.outside import ReportDatabases
from kit.probes.interventions.tests import StopWhenRefused
from kit.probes.interventions.variables import RememberVariables
from kit.probes.redact import redact_command
from kit.probes.sealed import Seal, new_key
from kit.tracing import Stopping, Traced, ask, guard_notice, guard_of, record_servers, say, silent, trace, workspace

_INTERRUPTED = "it was interrupted"


@dataclass(frozen=True, slots=True)
class Guard:
    """Which runs are guarded: the first one if `first`, re-runs unless `yes`."""

    first: bool = False
    yes: bool = False
    drivers: tuple[str, ...] = ()  # drivers without a probe that may still connect


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for the first run and for each re-run (None: derived from the first), and the budget for all."""

    first_s: float
    each_s: float | None = None
    budget: Budget = field(default_factory=Budget)


@dataclass
class Reruns:
    """Makes the runs. All their files are in one folder, which is removed at the end."""

    command: tuple[str, ...]
    allow: tuple[str, ...]
    guard: Guard
    limits: Limits
    place: Path
    environ: Mapping[str, str]
    timeout_s: float = 60.0  # of each re-run
    stopped: str = ""  # why there are no more runs
    interrupted: BaseException | None = None
    _under_way: bool = False  # whether a re-run is in progress

    def __enter__(self) -> Reruns:
        self._closing = ExitStack()
        self.folder = self._closing.enter_context(workspace("kit-diagnose-"))
        self.seal = Seal(new_key())  # the files that a killed run leaves behind contain passwords
        entries = allowed(self.allow, self.place).entries or AllowList((), str(self.place))
        self.keeper = self._closing.enter_context(Keeper(self.folder, self.place, entries, self.seal))
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()

    def run_unchanged(self) -> tuple[Traced, Answer]:
        """Run the command unchanged; return the trace and its answer."""
        listed = allowed(self.allow, self.place)
        stopping = self._stopping(listed.entries) if self.guard.first else None
        limit_s = self.limits.budget.limit(self.limits.first_s)
        say(f"first run, unchanged: {shlex.join(redact_command(self.command))}, at most {limit_s:.0f} s")
        say(f"this run is {guard_notice(guard_of(self.command, self.place, self.environ, stopping))}")
        traced = self._trace([RememberVariables(str(self._values), self.seal.key)], limit_s, stopping)
        for line in silent(traced.evidence):
            say(line)
        self._first = ask(traced, self.allow, self.place)
        if stopping is None and not self.guard.yes:
            entries = AllowList(self._entries(), str(self.place))
            record_servers(traced.evidence, traced.began_s, entries, self.folder / "servers")
        self.timeout_s = self.limits.each_s or max(60.0, 3 * traced.evidence.duration_s + 30)
        return traced, self._first

    def again(self, interventions: Sequence[Intervention]) -> Traced:
        """Run the command with interventions; connections off the allow-list are refused, unless --yes is given.

        Raises OutOfRuns when the budget is spent, or the user interrupted the runs.
        """
        budget = self.limits.budget
        if not self.stopped and budget.is_spent:
            self.stopped = f"the {budget.minutes:g} min of --budget are spent"
        if self.stopped:
            raise OutOfRuns(self.stopped)
        try:
            self._under_way = True
            traced = self._rerun(interventions)
        except (KeyboardInterrupt, SystemExit) as error:
            self.stopped, self.interrupted = _INTERRUPTED, self.interrupted or error
            raise OutOfRuns(self.stopped) from error
        finally:
            self._under_way = False
        if traced.evidence.timed_out and budget.is_spent:
            self.stopped = f"the {budget.minutes:g} min of --budget are spent"
            raise OutOfRuns(self.stopped)
        return traced

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: end the current run, and start no more."""
        end = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
        self.stopped, self.interrupted = _INTERRUPTED, self.interrupted or end
        if self._under_way:
            raise end

    def _rerun(self, interventions: Sequence[Intervention]) -> Traced:
        stopping = None if self.guard.yes else self._stopping(AllowList(self._entries(), str(self.place)))
        gate = [] if stopping is None else [StopWhenRefused()]
        self.keeper.restore_before_run()
        return self._trace([*interventions, *gate], self.limits.budget.limit(self.timeout_s), stopping)

    @property
    def values(self) -> dict[tuple[str, str | None], str]:
        """The values that variables had in the first run: {(name, value shown in evidence): value}."""
        inherited = {
            (name, shown(name, value)): value for name, value in self.environ.items() if names_a_database(name, value)
        }
        return {**inherited, **_values(self._values, self.folder, self.seal)}

    @property
    def _values(self) -> Path:
        return self.folder / "values"

    def _stopping(self, entries: AllowList) -> Stopping:
        return Stopping(entries, self.guard.drivers, self.folder / "servers")

    def _trace(
        self, interventions: Sequence[Intervention], timeout_s: float | None, stopping: Stopping | None
    ) -> Traced:
        file = self.folder / "interventions"
        file.touch(0o600)
        # The last one, because the effects of the others are reported by their position.
        all_of_them = [*interventions, ReportDatabases(self.keeper.address, ".", self.seal.key)]
        text = json.dumps([one.placed(str(self.place)).as_json() for one in all_of_them])
        file.write_text(self.seal.sealed(text.replace(WORKSPACE, str(self.folder))), encoding="ascii")
        return trace(
            self.command, environ=self.environ, folder=self.place,
            extra={INTERVENTIONS_VARIABLE: f"{self.seal.key}:{file}"}, timeout_s=timeout_s, quiet=True,
            stopping=stopping,
        )  # fmt: skip

    def _entries(self) -> tuple[str, ...]:
        """The allow-list, plus each address under which an allowed server was requested, and the re-runs' own files."""
        found = [
            entry_for_server(configured, dict(observed) if observed is not None else None, peer)
            for database in self._first.databases
            if self._first.judged(database)
            for configured, observed, peer in database.asked
        ]
        return (*self.allow, *found, f"{self.folder / NOWHERE}*")


def _values(file: Path, folder: Path, seal: Seal) -> dict[tuple[str, str | None], str]:
    """{(name, value shown in evidence): value}; a database file whose folder is gone is replaced by a new one."""
    found: dict[tuple[str, str | None], str] = {}
    for line in file.read_bytes().splitlines() if file.is_file() else ():
        try:
            name, value, shown = msgspec.json.decode(seal.opened(line.decode("ascii")), type=tuple[str, str, str])
        except (msgspec.DecodeError, ValueError):  # a line cut off when its process was killed, or not text
            continue
        found[name, shown] = _still_there(value, folder)
    return found


def _still_there(value: str, folder: Path) -> str:
    scheme, found, path = value.partition(":///")
    if os.path.isabs(value) and not Path(value).parent.is_dir():
        return str(folder / f"{NOWHERE}_{Path(value).name}")
    if not found or not scheme.startswith("sqlite") or Path(path.partition("?")[0]).parent.is_dir():
        return value
    return f"{scheme}:///{folder / NOWHERE}_{Path(path.partition('?')[0]).name}"
