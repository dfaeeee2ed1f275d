"""The costs of `kit trace` and the guard on a suite, for tools/bench.py: time and memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench_figures import Figure, in_turn
from bench_trials import multiply_tests

from kit.pair import open_pair
from kit.pair.slots import Slot, open_slots
from kit.specimens.build import write_project
from kit.trials.workspace import trial_environ

TESTS, MANY_TESTS = 1000, 10_000
TRACE_TIMES, GUARD_TIMES, OFF_TIMES, MEMORY_TIMES = 1.05, 1.01, 1.01, 11.0
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
WITHOUT = (*PYTEST, "-p", "no:kit-db-guard")
TRACED = (sys.executable, "-m", "kit", "trace", "--", *PYTEST)
_PLUGINS_OF_A_TRIAL = ("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_PLUGINS")
# Text of the specimen's conftest, and its replacement for tests that share the application's engine.
MADE, DISPOSED = "    engine = create_async_engine(TEST_DATABASE_URL)\n", "    await engine.dispose()\n"
IMPORT = "from app.database import Base, get_db  # noqa: E402\n"
IMPORT_BOTH = IMPORT + "from app.database import engine as app_engine  # noqa: E402\n"
# Runs a command and prints the largest memory of any of its processes, in MB.
LARGEST = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
sys.exit(code)
"""


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite of tests like the specimen's, in databases of its own."""

    folder: Path
    slot: Slot
    environ: Mapping[str, str] = field(repr=False)

    @property
    def allowed(self) -> str:
        """Its test database as an allow-list entry."""
        return f"{self.slot.test.host}:{self.slot.test.port}/{self.slot.test.database}"

    @property
    def guarded(self) -> tuple[str, ...]:
        """The command that runs it under the guard."""
        return (*PYTEST, "-o", f"db_guard_allow={self.allowed}", "--db-guard")

    def run(self, command: Sequence[str]) -> str:
        """Reset the databases, run a command on the suite, and return its output."""
        self.slot.reset()
        ended = subprocess.run(command, cwd=self.folder, env=dict(self.environ), capture_output=True, text=True)
        if ended.returncode != 0:
            raise SystemExit(f"the suite went wrong:\n{ended.stdout}{ended.stderr}")
        return ended.stdout

    def seconds(self, command: Sequence[str]) -> float:
        """The wall time of a command, including the servers."""
        began = time.perf_counter()
        self.run(command)
        return time.perf_counter() - began

    def processor_seconds(self, command: Sequence[str]) -> float:
        """The processor time of a command, without the servers; less sensitive to other load."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.run(command)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def traced(runs: int, *, short: bool) -> Iterator[Figure]:
    """Yield the figures of tracing; `short` leaves out the suite of 10,000 tests.

    The specimen's tests make an engine each; in most suites they share one, so that few connections are new.
    """
    with suite_of(TESTS) as suite:
        yield compared(f"{TESTS:,} tests under kit trace", suite.seconds, TRACED, PYTEST, TRACE_TIMES, runs)
        small_mb = memory_mb(suite, TRACED)
    with suite_of(TESTS, one_engine=True) as suite:
        yield compared(f"{TESTS:,} tests of one engine, traced", suite.seconds, TRACED, PYTEST, TRACE_TIMES, runs)
    if not short:
        with suite_of(MANY_TESTS) as suite:
            many_mb = memory_mb(suite, TRACED)
        yield Figure(
            f"memory, {MANY_TESTS:,} traced", many_mb, f"{TESTS:,} traced", small_mb, MEMORY_TIMES * small_mb, "MB", 1
        )


def guarded(runs: int) -> Iterator[Figure]:
    """Yield the figures of the guard on tests that share one engine: on, and installed but off."""
    name = f"{TESTS:,} tests of one engine"
    with suite_of(TESTS, one_engine=True) as suite:
        yield compared(f"{name}, guarded", suite.processor_seconds, suite.guarded, WITHOUT, GUARD_TIMES, runs)
        yield compared(f"{name}, the guard off", suite.processor_seconds, PYTEST, WITHOUT, OFF_TIMES, runs)


def compared(
    what: str, measure: Callable[[Sequence[str]], float], command: Sequence[str], other: Sequence[str], times: float,
    runs: int,
) -> Figure:  # fmt: skip
    """Compare one command with another, alternating."""
    value, against = in_turn(lambda: measure(command), lambda: measure(other), runs)
    return Figure(what, value * 1000, "without", against * 1000, times * against * 1000, "ms", runs)


def memory_mb(suite: Suite, command: Sequence[str]) -> float:
    """The largest memory of any process of a command."""
    return float(suite.run((sys.executable, "-c", LARGEST, *command)).splitlines()[-1])


@contextmanager
def suite_of(count: int, *, one_engine: bool = False) -> Iterator[Suite]:
    """A clean project with this many tests, whose fixture makes an engine for each test, or one for all."""
    with tempfile.TemporaryDirectory(prefix="kit-bench-") as name:
        folder = Path(name) / "project"
        write_project(folder, (), "dependency_override")
        multiply_tests(folder / "tests" / "test_api_sites.py", count)
        if one_engine:
            share_the_engine(folder / "tests" / "conftest.py")
        with open_pair("embedded") as pair, open_slots(pair, 1) as (slot,):
            yield Suite(folder, slot, _environ(slot))


def _environ(slot: Slot) -> dict[str, str]:
    """A trial's variables, but with every installed plugin, the guard among them, as in a reader's own suite."""
    environ = {**trial_environ(slot, sys.executable), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    return {name: value for name, value in environ.items() if name not in _PLUGINS_OF_A_TRIAL}


def share_the_engine(conftest: Path) -> None:
    """Change the tests' fixture to use the application's engine, which is made once."""
    text = conftest.read_text()
    for old, new in ((MADE, "    engine = app_engine\n"), (DISPOSED, ""), (IMPORT, IMPORT_BOTH)):
        if text.count(old) != 1:
            raise SystemExit(f"the specimen's conftest has changed: {old!r} is not in it once")
        text = text.replace(old, new)
    conftest.write_text(text)
