"""Run trials in parallel, each in a fresh interpreter, and yield the evidence of each when it is done.

A hung or dead trial costs only its own time limit; its evidence is UNRESOLVED.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from kit.errors import PairError, TrialError
from kit.evidence.model import Evidence
from kit.pair import Pair
from kit.specimens.trial import Trial
from kit.trials import slot_pool
from kit.trials.cache import Shared, shared
from kit.trials.fork_server import AnyParent, give_back, take
from kit.trials.stacks import Stack, stack
from kit.trials.workspace import Workspace, base_environ

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a set of trials. `shared` counts trials whose evidence was cached.

    `started` counts trials for which no warm parent could be forked; `why_not_forked` is the last reason.
    """

    done: int
    total: int
    shared: int
    started: int
    why_not_forked: str | None
    elapsed_s: float

    def __str__(self) -> str:
        kept = f", {self.shared} of them from this run's other notebooks" if self.shared else ""
        started = f", {self.started} in new interpreters because {self.why_not_forked}" if self.started else ""
        said = f"{self.done} of {self.total} trials{kept}{started}, {self.elapsed_s:.0f} s"
        if not 0 < self.done < self.total:
            return said
        return f"{said}, about {self.elapsed_s / self.done * (self.total - self.done):.0f} s left"


def run(trial: Trial, pair: Pair, *, timeout_s: float = TIMEOUT_S, without: Iterable[str] = ()) -> Evidence:
    """Run one trial and return its evidence; equivalent to `run_all` with one trial."""
    return next(run_all((trial,), pair, jobs=1, timeout_s=timeout_s, without=without))


def run_all(
    trials: Iterable[Trial],
    pair: Pair,
    *,
    jobs: int | None = None,
    timeout_s: float = TIMEOUT_S,
    without: Iterable[str] = (),
    warm: bool = True,
    fresh: bool = False,
    executor: Executor | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[Evidence]:
    """Run trials and yield their evidence in order of completion. Closing the iterator ends running trials.

    `jobs` is the number of parallel trials, each with databases of its own; None means one per CPU. On a pair where the
    kit may not create databases it is one. `timeout_s` applies to each trial. `without` names probes to leave out, to
    check that the verdict is then UNRESOLVED. Without `warm`, each trial starts a new interpreter instead of a fork. In
    a run of `kit investigate`, a trial that another notebook has run is not repeated, unless `fresh`. An `executor`
    gets `run_in` with arguments that can be pickled; None means threads of this process. Raises PairError for a pair
    that is not writable, TrialError for a time limit that is not positive.
    """
    if not timeout_s > 0:
        raise TrialError(f"A trial may take {timeout_s} s", wanted="more than 0", remedy="raise `timeout_s`")
    waiting, without = list(trials), tuple(without)
    report = _Report(progress)
    report.total = len(waiting)
    stacks = {name: stack(name) for name in sorted({trial.stack for trial in waiting})}
    settings = {"timeout_s": timeout_s, "without": without, "warm": warm}
    keep = shared(pair, stacks.values(), settings, fresh=fresh)
    if keep is not None:
        for trial in list(waiting):
            kept = keep.get(trial)
            if kept is not None:
                waiting.remove(trial)
                yield report.of(kept, shared=True)
    if waiting:
        how = How(timeout_s, without, keep)
        with _workspaces(pair, stacks, min(jobs or usable_cpus(), len(waiting)), warm) as workspaces:
            for evidence in _run(waiting, workspaces, how, executor):
                yield report.of(evidence)


@dataclass(frozen=True, slots=True)
class How:
    """The settings shared by all trials of a set."""

    timeout_s: float
    without: tuple[str, ...]
    keep: Shared | None = None


def run_in(workspace: Workspace, trial: Trial, how: How) -> Evidence:
    """Run one trial in a workspace, or return evidence that another process has cached in the meantime."""
    def make() -> Evidence:
        return workspace.run(trial, timeout_s=how.timeout_s, without=how.without)

    return make() if how.keep is None else how.keep.get_or_make(trial, make)


def usable_cpus() -> int:
    """The number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run(trials: Sequence[Trial], workspaces: _Workspaces, how: How, executor: Executor | None) -> Iterator[Evidence]:
    """Keep every workspace busy; on exit, end running trials and wait for them."""
    waiting = list(reversed(trials))
    running: dict[Future[Evidence], _Taken] = {}
    with ExitStack() as closing:
        pool = executor or closing.enter_context(ThreadPoolExecutor(len(workspaces.free), "trial"))
        closing.callback(_stop, running, workspaces)
        while waiting or running:
            while waiting and workspaces.free:
                taken = workspaces.take(waiting[-1].stack)
                running[pool.submit(run_in, taken.workspace, waiting.pop(), how)] = taken
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                workspaces.give_back(running.pop(future))
                yield future.result()


def _stop(running: dict[Future[Evidence], _Taken], workspaces: _Workspaces) -> None:
    for future, taken in running.items():
        if not future.cancel():
            taken.workspace.parent.stop()
    wait(running)
    for taken in running.values():
        workspaces.give_back(taken)


@dataclass(frozen=True, slots=True)
class _Taken:
    workspace: Workspace
    parent: AnyParent
    stack: str


@dataclass
class _Workspaces:
    """The free pairs, and the free parents of each stack. A parent that has exited is replaced."""

    stacks: dict[str, Stack]
    warm: bool
    free: list[Pair] = field(default_factory=list)
    parents: dict[str, list[AnyParent]] = field(default_factory=dict)

    def take(self, name: str) -> _Taken:
        waiting = self.parents.setdefault(name, [])
        parent = waiting.pop() if waiting else self.start(name)
        try:
            return _Taken(Workspace(self.free.pop(), parent.ready()), parent, name)
        except BaseException:
            parent.close()
            raise

    def give_back(self, taken: _Taken) -> None:
        self.free.append(taken.workspace.pair)
        if taken.parent.alive():
            self.parents[taken.stack].append(taken.parent)
        else:
            taken.parent.close()

    def start(self, name: str) -> AnyParent:
        python = str(self.stacks[name].python)
        return take(python, base_environ(python), warm=self.warm)

    def close(self) -> None:
        for waiting in self.parents.values():
            for parent in waiting:
                give_back(parent)


@contextmanager
def _workspaces(pair: Pair, stacks: dict[str, Stack], count: int, warm: bool) -> Iterator[_Workspaces]:
    """`count` workspaces: slots if the kit may create databases, else one on the pair itself."""
    if not pair.writable:
        raise PairError(
            "the kit may not write to these servers, and the project under study writes to both",
            remedy="leave out the URLs and let the kit start its own (kit up), or name servers with --writable",
        )
    workspaces = _Workspaces(stacks, warm)
    slotted = all(side.admin is not None for side in pair.sides)
    with ExitStack() as closing:
        closing.callback(workspaces.close)
        for name in stacks:  # parents import their libraries while the databases are created
            workspaces.parents[name] = [workspaces.start(name) for _ in range(count if slotted else 1)]
        if slotted:
            workspaces.free += closing.enter_context(slot_pool.slots(pair, count))
        else:
            workspaces.free.append(pair)
        yield workspaces


@dataclass
class _Report:
    """Counts finished trials and reports the progress."""

    tell: Callable[[Progress], None] | None
    total: int = 0
    done: int = 0
    shared: int = 0
    started: int = 0
    why_not_forked: str | None = None
    began: float = field(default_factory=time.perf_counter)

    def of(self, evidence: Evidence, *, shared: bool = False) -> Evidence:
        self.done += 1
        self.shared += shared
        self.started += not evidence.forked
        self.why_not_forked = evidence.why_not_forked or self.why_not_forked
        elapsed_s = time.perf_counter() - self.began
        if self.tell is not None:
            self.tell(Progress(self.done, self.total, self.shared, self.started, self.why_not_forked, elapsed_s))
        return evidence
