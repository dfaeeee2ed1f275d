"""The costs of trials, for tools/bench.py: against a loop, against a bare fork, with and without probes, in bulk."""

from __future__ import annotations

import gc
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

from bench_figures import Figure, in_turn

from kit.pair import Pair, open_pair
from kit.pair.slots import Slot, open_slots
from kit.specimens.build import write_project
from kit.specimens.trial import Trial, plan
from kit.trials import fork_server, slot_pool
from kit.trials.runner import run_all
from kit.trials.stacks import stack
from kit.trials.workspace import Workspace, base_environ, probe_environ, trial_environ

JOBS = 2
LIMIT_S = 120.0
FLOOR_TIMES, PROBES_TIMES, MANY_TIMES = 1.3, 1.05, 1.1
SIZES = (8, 64, 640)
TESTS = 200
# The report's two runs, of the project as reported and of a clean one.
ALONE = plan(mechanisms=[("ci_variable", "global_engine"), ()], selections=["individual"], ways=["by_hand"])
WHOLE = plan(mechanisms=[("ci_variable", "global_engine"), ()], selections=["suite"], ways=["ci"])
SUITE = Trial(mechanisms=(), way="by_hand")
SMALL = Trial(mechanisms=(), selection="individual", way="by_hand")

# Forks a process with the same libraries that runs pytest: no probes, no freshness, no supervision.
BARE_FORKS = """
import gc, json, os, sys, time
from kit.trials.worker import libraries
libraries.import_libraries()
import pytest
gc.collect()
gc.freeze()
print(flush=True)
for line in sys.stdin:
    order = json.loads(line)
    began = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.chdir(order["folder"])
        os.environ.update(order["environ"])
        sys.path.insert(0, order["folder"])
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        os._exit(pytest.main([order["target"]]))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps([code, time.perf_counter() - began]), flush=True)
"""


def figures(runs: int, sizes: tuple[int, ...] = SIZES) -> Iterator[Figure]:
    """Yield all figures about trials."""
    with open_pair("embedded") as pair:
        yield from against_a_loop(pair, runs)
        with one_workspace(pair) as workspace:
            yield one_trial(workspace, runs * 3)
            yield many_tests(workspace, runs)
        yield from many_trials(pair, sizes)
        slot_pool.close()
        fork_server.close_idle()


@contextmanager
def one_workspace(pair: Pair) -> Iterator[Workspace]:
    """A slot and a warm parent."""
    python = str(stack("current").python)
    with open_slots(pair, 1) as (slot,), fork_server.parents(python, base_environ(python), 1) as (parent,):
        yield Workspace(slot, parent.ready())


# --- side by side, against a loop -------------------------------------------------------------------------------------


def against_a_loop(pair: Pair, runs: int) -> Iterator[Figure]:
    """Parallel trials with probes against `python -m pytest` in a loop, for two stacks."""
    designs = ("one test", ALONE, 1 / 20), ("a suite", WHOLE, 1 / 10)
    for name, (what, plan_, part) in product(("current", "2023-11"), designs):
        trials = [replace(trial, stack=name) for trial in plan_]
        with open_slots(pair, 1) as (slot,):
            seconds_of(trials, pair)  # starts the parents
            ours, theirs = in_turn(
                lambda trials=trials: seconds_of(trials * 8, pair), lambda trials=trials: loop(trials, slot), runs
            )
        yield Figure(
            f"{what}, {JOBS} at a time ({name})", ours * 1000, "python -m pytest in a loop", theirs * 1000,
            part * theirs * 1000, "ms", runs,
        )


def seconds_of(trials: list[Trial], pair: Pair) -> float:
    """Return the seconds per trial, from the request to the last evidence."""
    began = time.perf_counter()
    evidence = list(run_all(trials, pair, jobs=JOBS))
    seconds = time.perf_counter() - began
    bad = [one.why_not_forked for one in evidence if not one.forked or one.timed_out]
    if bad:
        raise SystemExit(f"a trial was not forked: {bad[0]}")
    return seconds / len(trials)


def loop(trials: list[Trial], slot: Slot) -> float:
    """Return the seconds per trial when they run one after the other, each in a new interpreter."""
    began = time.perf_counter()
    for trial in trials:
        python = str(stack(trial.stack).python)
        environ = trial_environ(slot, python)
        del environ["PYTHONDONTWRITEBYTECODE"]  # pytest run by hand keeps its compiled files
        with tempfile.TemporaryDirectory(prefix="kit-bench-") as folder:
            write_project(Path(folder), trial.mechanisms, trial.attempt)
            subprocess.run(trial.command(python), cwd=folder, env=environ, capture_output=True, timeout=LIMIT_S)
    return (time.perf_counter() - began) / len(trials)


# --- one at a time, against a bare fork -------------------------------------------------------------------------------


def one_trial(workspace: Workspace, runs: int) -> Figure:
    """One whole trial, from the reset of its databases to its evidence, against the minimum."""
    with bare_forks() as fork, tempfile.TemporaryDirectory(prefix="kit-bench-") as folder:
        write_project(Path(folder), SUITE.mechanisms, SUITE.attempt)
        environ = trial_environ(workspace.pair, workspace.parent.python)
        order = {"folder": folder, "environ": environ, "target": SUITE.target}

        def ours() -> float:
            began = time.perf_counter()
            evidence = workspace.run(SUITE, timeout_s=LIMIT_S)
            seconds = time.perf_counter() - began
            if not evidence.forked or evidence.exit_code != 0:
                raise SystemExit(f"a trial went wrong: {evidence.why_not_forked}\n{evidence.output}")
            return seconds

        ours()
        value, floor = in_turn(ours, lambda: fork(order), runs)
    most = FLOOR_TIMES * floor * 1000
    return Figure("one trial", value * 1000, "bare fork, pytest.main", floor * 1000, most, "ms", runs)


@contextmanager
def bare_forks() -> Iterator[Callable[[dict[str, object]], float]]:
    """A process that forks pytest and reports the seconds that it took."""
    python = str(stack("current").python)
    environ = {**base_environ(python), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [python, "-c", BARE_FORKS], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        orders, answers = process.stdin, process.stdout
        assert orders is not None
        assert answers is not None
        answers.readline()

        def fork(order: dict[str, object]) -> float:
            orders.write(json.dumps(order) + "\n")
            orders.flush()
            code, seconds = json.loads(answers.readline())
            if code != 0:
                raise SystemExit(f"pytest ended with {code} in a bare fork")
            return float(seconds)

        yield fork
        orders.close()


# --- probes in, probes out --------------------------------------------------------------------------------------------


def many_tests(workspace: Workspace, runs: int) -> Figure:
    """A suite of tests like the specimen's, with and without the probes."""
    with tempfile.TemporaryDirectory(prefix="kit-bench-") as name:
        folder = Path(name)
        write_project(folder / "project", SUITE.mechanisms, SUITE.attempt)
        multiply_tests(folder / "project" / "tests" / "test_api_sites.py")
        environ = trial_environ(workspace.pair, workspace.parent.python)

        def suite(probes: bool) -> float:
            assert isinstance(workspace.pair, Slot)
            workspace.pair.reset()
            with tempfile.TemporaryDirectory(prefix="kit-bench-") as seen:
                more = probe_environ(Path(seen), time.time()) if probes else {}
                command = SUITE.command(workspace.parent.python)
                ended = workspace.parent.run(command, environ | more, folder / "project", LIMIT_S)
            if ended.exit_code != 0 or f"{TESTS} passed" not in ended.output:
                raise SystemExit(f"the large suite went wrong:\n{ended.output}")
            return ended.duration_s

        with_probes, without = in_turn(lambda: suite(True), lambda: suite(False), runs)
    return Figure(
        f"{TESTS} tests with the probes in", with_probes * 1000, "without them", without * 1000,
        PROBES_TIMES * without * 1000, "ms", runs,
    )


def multiply_tests(path: Path, count: int = TESTS) -> None:
    """Repeat the tests of a file until it has this many."""
    head, *tests = re.split(r"(?m)^(?=async def test_)", path.read_text())
    copies = (re.sub(r"def (test_\w+)", rf"def \1_{number}", tests[number % len(tests)]) for number in range(count))
    path.write_text(head + "".join(copies))


# --- many trials ------------------------------------------------------------------------------------------------------


def many_trials(pair: Pair, sizes: tuple[int, ...]) -> Iterator[Figure]:
    """One plan in several sizes: time per trial, and the memory of this process and its parents."""
    seconds_of([replace(SMALL, repetition=number) for number in range(4)], pair)
    base: tuple[float, float] | None = None
    for size in sizes:
        gc.collect()
        # A small plan is repeated, so that its figure is as reliable as a large one's.
        repeats = max(1, 64 // size)
        trials = [replace(SMALL, repetition=number) for number in range(size)]
        seconds = statistics.median(steady_seconds_of(trials, pair) for _ in range(repeats))
        now = (seconds * 1000, memory_mb())
        base = base or now
        yield Figure(f"a trial of {size}", now[0], f"of {sizes[0]}", base[0], MANY_TIMES * base[0], "ms", repeats)
        yield Figure(f"memory after {size}", now[1], f"after {sizes[0]}", base[1], MANY_TIMES * base[1], "MB", 1)


def steady_seconds_of(trials: list[Trial], pair: Pair) -> float:
    """Return the seconds per trial after each job has returned its first evidence, without the set-up.

    The first of *every* job: they arrive together, and counting from the very first would make a short plan look fast.
    """
    came = [time.perf_counter() for _ in run_all(trials, pair, jobs=JOBS)]
    return (came[-1] - came[JOBS - 1]) / (len(came) - JOBS)


def memory_mb() -> float:
    """The memory of this process and the processes that it started; shared pages count for each."""
    mine = [os.getpid(), *fork_server.pids()]
    return sum(_resident_mb(pid) for pid in mine)


def _resident_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
