"""Trials side by side: forked as spawned, each in databases of its own, ended in time, run once in a run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import replace
from itertools import combinations, product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kit.errors import PairError
from kit.evidence.model import Evidence, to_json
from kit.evidence.verdict import Verdict, isolation
from kit.pair import Pair
from kit.pair.slots import open_slots
from kit.specimens.mechanisms import MECHANISMS
from kit.specimens.trial import Trial
from kit.trials import fork_server, runner, slot_pool
from kit.trials.cache import kept
from kit.trials.run_folder import EVIDENCE, SHELF_VARIABLE
from kit.trials.runner import Progress, run, run_all
from kit.trials.stacks import Stack
from kit.trials.workspace import Workspace, base_environ

REPORTED = Trial()
CLEAN = Trial(mechanisms=())
STACKS = ("current", "2023-11")
STRENGTH = 4  # how many mechanisms meet in every way, on and off, among the combinations that are compared

# When, in which process, under which number: these are another trial's own.
OWN = {
    "at_s", "duration_s", "pid", "ppid", "parent", "backend_pid", "database_oid", "started", "forked", "why_not_forked",
}  # fmt: skip
OWN_TEXTS = re.compile(
    r"_[0-9a-f]{6}_\d+\b|kit-(?:trial|parent)-\w+|\b[0-9a-f]{32}\b|'[^']*\.\.\.[^']*'|in \d+\.\d+s|0x[0-9a-f]+|=+"
)


def entries(evidence: Evidence) -> dict[str, Any]:
    """Evidence without times, numbers of processes and addresses: what two runs of one trial have in common."""
    return {name: _common(value) for name, value in json.loads(to_json(evidence)).items() if name not in OWN}


def _common(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _common(one) for name, one in value.items() if name not in OWN}
    if isinstance(value, list):
        return [_common(one) for one in value]
    return OWN_TEXTS.sub("…", value) if isinstance(value, str) else value


def covering(strength: int) -> list[tuple[str, ...]]:
    """Combinations of mechanisms in which any `strength` of them are on and off in every way."""
    names = tuple(MECHANISMS)
    rows = list(product((True, False), repeat=len(names)))
    if strength < len(names):
        numbers: dict[object, int] = {}  # of what is met; a row's are the bits of one number
        met = {
            row: sum(1 << numbers.setdefault(one, len(numbers)) for one in combinations(enumerate(row), strength))
            for row in rows
        }
        every, rows, wanted = rows, [], (1 << len(numbers)) - 1
        while wanted:
            rows.append(max(every, key=lambda row: (met[row] & wanted).bit_count()))
            wanted &= ~met[rows[-1]]
    return [tuple(name for name, on in zip(names, row, strict=True) if on) for row in rows]


@pytest.fixture(autouse=True, scope="module")
def _no_parent_is_left() -> Iterator[None]:
    yield
    slot_pool.close()
    fork_server.close_idle()


# --- forked as spawned ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trial",
    [
        *(Trial(mechanisms=mechanisms) for mechanisms in covering(STRENGTH)),
        Trial(mechanisms=tuple(MECHANISMS), way="by_hand"),
    ],
    ids=lambda trial: f"{trial.way}-{'+'.join(trial.mechanisms) or 'clean'}",
)
def test_forked_and_spawned_trials_leave_the_same_evidence(trial: Trial, pair: Pair) -> None:
    """Entry by entry, times and numbers aside, and also in what pytest prints."""
    forked, spawned = (next(run_all([trial], pair, warm=warmly)) for warmly in (True, False))
    assert (forked.forked, spawned.forked) == (True, False)
    assert entries(forked) == entries(spawned)


def test_every_pair_of_mechanisms_is_among_the_combinations() -> None:
    """The combinations above have every two mechanisms both on, both off, and one on without the other."""
    rows = covering(STRENGTH)
    for one, other in product(MECHANISMS, repeat=2):
        assert {(one in row, other in row) for row in rows} >= (
            {(True, True), (False, False)} if one == other else set(product((True, False), repeat=2))
        )


@pytest.mark.parametrize(("mechanisms", "gained"), [
    (("ci_variable", "global_engine"), 1), (("background_work", "ci_variable"), 0), ((), 0),
])
def test_rows_are_counted_before_and_after(mechanisms: tuple[str, ...], gained: int, pair: Pair) -> None:
    """What a trial has added to production is counted there; a row that it only changes is none more."""
    evidence = run(Trial(mechanisms), pair)
    production = next(rows for rows in evidence.rows if rows.side == "production")
    assert (production.before, production.after) == (731, 731 + gained)
    assert (sum(one.writes for one in evidence.backends or () if one.side == "production") > 0) == (mechanisms != ())


def test_a_difference_is_seen(pair: Pair) -> None:
    """The comparison tells two different trials apart."""
    evidence = {one.trial: one for one in run_all([REPORTED, CLEAN], pair)}
    assert entries(evidence[REPORTED]) != entries(evidence[CLEAN])


@pytest.mark.parametrize("stack", STACKS)
def test_each_stack_forks(stack: str, pair: Pair) -> None:
    """A warm parent is fit to be forked under every stack, and the report is reproduced in the fork."""
    evidence = run(replace(REPORTED, stack=stack), pair)
    assert evidence.why_not_forked is None
    assert evidence.forked
    assert isolation(evidence).verdict is Verdict.BROKEN


@pytest.mark.parametrize("warmly", [True, False], ids=["forked", "spawned"])
def test_a_trial_loads_no_plugin_that_happens_to_be_installed(
    warmly: bool, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pytest plugin beside the trial's libraries, with an entry point of its own, is not even imported."""
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    loaded = tmp_path / "loaded"
    (packages / "meddles.py").write_text(f"open({str(loaded)!r}, 'w')\n")
    (packages / "meddles-1.dist-info").mkdir()
    (packages / "meddles-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: meddles\nVersion: 1\n")
    (packages / "meddles-1.dist-info" / "entry_points.txt").write_text("[pytest11]\nmeddles = meddles\n")
    (packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    monkeypatch.setattr(runner, "stack", lambda name: Stack(name, environment / "bin" / "python", {}))
    (evidence,) = run_all([Trial(mechanisms=(), selection="individual", way="by_hand")], pair, warm=warmly)
    assert (evidence.forked, isolation(evidence).verdict) == (warmly, Verdict.HOLDS)
    assert not loaded.exists()


# --- side by side -----------------------------------------------------------------------------------------------------


def test_trials_side_by_side_do_not_meet(pair: Pair) -> None:
    """Each of two at a time sees production's 731 rows and not the other's writes, and every witness agrees."""
    trials = [replace(REPORTED, repetition=number) for number in range(6)]
    evidence = list(run_all(trials, pair, jobs=2))
    assert {one.trial for one in evidence} == set(trials)
    assert {isolation(one).verdict for one in evidence} == {Verdict.BROKEN}
    assert len({_same(entries(one)) for one in evidence}) == 1
    databases = {connection.configured.rpartition("/")[2] for one in evidence for connection in one.connections}
    assert len(databases) == 4
    slot_pool.close()
    assert databases & _databases_of(pair) == set()


def test_the_order_is_that_of_their_ends(pair: Pair) -> None:
    """Evidence comes as it is there: a trial that takes its whole time limit does not hold up the others."""
    progress: list[Progress] = []
    trials = [replace(CLEAN, selection="individual", way="by_hand", repetition=number) for number in range(4)]
    count = sum(1 for _ in run_all(trials, pair, jobs=2, progress=progress.append))
    assert [(one.done, one.total, one.shared) for one in progress] == [(number + 1, 4, 0) for number in range(count)]
    assert str(progress[-1]).startswith("4 of 4 trials, ")


def test_progress_says_why_a_trial_was_not_forked(pair: Pair) -> None:
    """Where a new interpreter stands in for a fork, the progress says so, with the reason."""
    progress: list[Progress] = []
    trial = Trial(mechanisms=(), selection="individual", way="by_hand")
    assert len(list(run_all([trial], pair, warm=False, progress=progress.append))) == 1
    assert "1 in new interpreters because a new interpreter was requested" in str(progress[0])


def test_a_trial_at_its_time_limit_costs_nothing_else(pair: Pair) -> None:
    """It is UNRESOLVED, its sessions are ended, and the next trial in its place finds everything as it should be."""
    short = list(run_all([replace(CLEAN, repetition=number) for number in range(2)], pair, jobs=1, timeout_s=0.1))
    assert [one.timed_out for one in short] == [True, True]
    assert {isolation(one).verdict for one in short} == {Verdict.UNRESOLVED}
    assert {isolation(one).verdict for one in run_all([CLEAN, REPORTED], pair)} == {Verdict.HOLDS, Verdict.BROKEN}


HANGING_TEST = """
import asyncio, os, signal
import asyncpg

def test_that_hangs():
    async def hang(name):
        connection = await asyncpg.connect(os.environ[name].replace("+asyncpg", ""))
        await connection.execute("select pg_sleep(600)")

    async def both():
        await asyncio.gather(hang("TEST_DATABASE_URL"), hang("PRODUCTION_DATABASE_URL"))

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    asyncio.run(both())
"""


def test_the_sessions_of_a_trial_end_with_it(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a trial is ended in the middle of a statement, its servers do not work on for it."""
    monkeypatch.setattr(
        "kit.trials.workspace.write_project", lambda project, *_: (project / "test_hanging.py").write_text(HANGING_TEST)
    )
    monkeypatch.setattr(Trial, "target", "test_hanging.py")
    python = sys.executable
    with open_slots(pair, 1) as (slot,), fork_server.parents(python, base_environ(python), 1) as (parent,):
        evidence = Workspace(slot, parent.ready()).run(Trial(way="by_hand"), timeout_s=5)
        assert evidence.timed_out
        assert {evidence.side(connection) for connection in evidence.connections} == {"production", "test"}
        assert slot.end_sessions() == 0


def test_a_stop_ends_what_is_under_way(pair: Pair) -> None:
    """Closing the iterator ends the running trials and starts no other; their databases serve the next ones."""
    progress: list[Progress] = []
    trials = [replace(CLEAN, repetition=number) for number in range(40)]
    evidence = run_all(trials, pair, jobs=2, progress=progress.append)
    names = {connection.configured.rpartition("/")[2] for connection in next(evidence).connections}
    assert names <= _databases_of(pair)
    evidence.close()  # type: ignore[attr-defined]
    assert len(progress) == 1
    again = list(run_all(trials[:2], pair, jobs=2))
    assert {isolation(one).verdict for one in again} == {Verdict.HOLDS}
    assert names & {connection.configured.rpartition("/")[2] for one in again for connection in one.connections}


def test_a_trial_that_kills_its_parent_is_unresolved(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parent that dies is replaced, and the other trials are none the wiser."""
    ready = fork_server.Parent.ready
    doomed: list[fork_server.Parent] = []

    def ready_to_die(parent: fork_server.Parent) -> fork_server.ParentAddress:
        address = ready(parent)
        if not doomed:
            doomed.append(parent)
            parent.process.kill()
            parent.process.wait()
        return address

    fork_server.close_idle()
    monkeypatch.setattr(fork_server.Parent, "ready", ready_to_die)
    evidence = list(run_all([replace(CLEAN, repetition=number) for number in range(3)], pair, jobs=1))
    assert [isolation(one).verdict for one in evidence] == [Verdict.UNRESOLVED, Verdict.HOLDS, Verdict.HOLDS]
    assert "its parent has ended" in isolation(evidence[0]).reason


class Recording(Executor):
    """Hands everything to an executor, and remembers what it was given."""

    def __init__(self, inner: Executor) -> None:
        self.inner = inner
        self.given: list[Callable[..., Any]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.given.append(function)
        return self.inner.submit(function, *args, **kwargs)


def test_another_executor_can_be_put_in(pair: Pair) -> None:
    """Trials go through the executor that is given; one of processes does as well as the threads."""
    trials = [REPORTED, CLEAN]
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        executor = Recording(processes)
        evidence = {one.trial: one for one in run_all(trials, pair, jobs=2, executor=executor)}
    assert [function.__name__ for function in executor.given] == ["run_in", "run_in"]
    assert {trial: isolation(evidence[trial]).verdict for trial in trials} == {
        REPORTED: Verdict.BROKEN, CLEAN: Verdict.HOLDS,
    }


def test_a_pair_that_is_not_to_be_written_to_is_refused(pair: Pair) -> None:
    """The project under study writes to both sides, so no trial runs where that is not allowed."""
    with pytest.raises(PairError, match="the kit may not write to"):
        run(CLEAN, replace(pair, writable=False))


def test_without_slots_trials_run_one_at_a_time(pair: Pair) -> None:
    """Servers that were named for writing, but give the kit no databases of its own, still run trials."""
    named = replace(pair, production=replace(pair.production, admin=None), test=replace(pair.test, admin=None))
    trial = Trial(mechanisms=(), selection="individual", way="by_hand")
    evidence = list(run_all([trial, replace(trial, repetition=1)], named, jobs=2))
    assert {isolation(one).verdict for one in evidence} == {Verdict.HOLDS}


# --- once in a run ----------------------------------------------------------------------------------------------------

NOTEBOOK = """
import sys
from kit.evidence.model import to_json
from kit.pair import open_pair
from kit.trials.runner import run_all
from kit.specimens.trial import Trial
with open_pair() as pair:
    trials = [Trial(mechanisms=(), selection="individual", way="by_hand", repetition=n) for n in range(3)]
    for evidence in sorted(run_all(trials, pair, jobs=1), key=lambda one: one.trial.repetition):
        sys.stdout.buffer.write(to_json(evidence) + b"\\n")
"""


def test_notebooks_of_one_run_run_a_trial_once(pair: Pair, tmp_path: Path) -> None:
    """Two kernels that ask for the same trials at the same time get the same evidence, to the last digit."""
    environ = {**os.environ, **pair.environ(), SHELF_VARIABLE: str(tmp_path / EVIDENCE)}
    kernels = [subprocess.Popen([sys.executable, "-c", NOTEBOOK], env=environ, stdout=subprocess.PIPE) for _ in "12"]
    first, second = (kernel.communicate()[0] for kernel in kernels)
    assert [kernel.returncode for kernel in kernels] == [0, 0]
    assert first.count(b"\n") == 3
    assert first == second
    assert sorted(to_json(one) for one in kept(tmp_path)) == sorted(first.splitlines())


def test_what_is_kept_is_shared_only_with_the_same(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another trial, another time limit, other code or a wish for fresh ones run; the same does not."""
    monkeypatch.setenv(SHELF_VARIABLE, str(tmp_path / EVIDENCE))
    trial = Trial(mechanisms=(), selection="individual", way="by_hand")
    first = run(trial, pair)
    progress: list[Progress] = []
    assert list(run_all([trial], pair, progress=progress.append)) == [first]
    assert progress[0].shared == 1
    assert run(replace(trial, repetition=1), pair) != first
    assert run(trial, pair, timeout_s=59) != first
    assert next(run_all([trial], pair, fresh=True)) != first
    monkeypatch.setattr("kit.trials.cache.code_digest", lambda: "other code")
    assert run(trial, pair) != first


def _same(found: dict[str, Any]) -> str:
    trial = {**found["trial"], "repetition": 0}
    return json.dumps({**found, "trial": trial}, sort_keys=True)


def _databases_of(pair: Pair) -> set[str]:
    found: set[str] = set()
    for side in pair.sides:
        assert side.admin is not None
        with psycopg.connect(side.admin) as connection:
            found |= {name for (name,) in connection.execute("select datname from pg_database")}
    return found


@pytest.mark.parametrize(("done", "said"), [
    (0, "0 of 4 trials, 6 s"), (1, "1 of 4 trials, 6 s, about 18 s left"), (4, "4 of 4 trials, 6 s"),
])
def test_progress_says_what_is_left_while_something_is(done: int, said: str) -> None:
    """How long the rest takes is said as soon as it can be, and no more when nothing is left."""
    assert str(Progress(done, 4, 0, 0, None, 6.0)) == said
