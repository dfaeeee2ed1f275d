"""Every way to a database that is not on the list, under --db-guard: what it stops, and what docs/guard.md says it does
not.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.pair import Pair
from kit.pair.binaries import find
from tests.projects import LIGHT

WAYS = Path(__file__).parents[1] / "ways"
PAGE = Path(__file__).parents[2] / "docs" / "guard.md"
OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR) \w+\.py::test_(\S+)", re.MULTILINE)
TIMEOUT_S = 280


@dataclass(frozen=True, slots=True)
class Ran:
    """How a guarded run of ways ended, what production's log says of it, and where it ran."""

    outcomes: dict[str, str]
    reached: frozenset[str]
    output: str
    folder: Path


def run(pair: Pair, folder: Path, name: str, *options: str, **variables: str) -> Ran:
    """Run a file of ways, with the test database on the list."""
    log = pair.production.log
    assert log is not None
    begun = log.stat().st_size
    for file in ("conftest.py", "early.py", name):
        shutil.copy(WAYS / file, folder)
    temporary = folder / "temporary"
    temporary.mkdir()
    side = pair.test
    allowed = f"{side.host}:{side.port}/{side.database}"
    (folder / "pytest.ini").write_text(f"[pytest]\naddopts = --db-guard\ndb_guard_allow =\n  test*.db\n  {allowed}\n")
    programs = find(None).directory
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    superuser = f"{(side.admin or '').rpartition('/')[0]}/{side.database}"
    environ = {
        **kept, "PRODUCTION": pair.production.url(), "TEST": pair.test.url(), "TEST_AS_SUPERUSER": superuser,
        "PSQL": str(programs / "psql"), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(temporary), **variables,
    }  # fmt: skip
    own = ("-rA", "--tb=no", f"--basetemp={folder / 'base'}", *LIGHT, *options)
    command = [sys.executable, "-m", "pytest", *own, name]
    ended = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
    )
    with log.open("rb") as file:
        file.seek(begun)
        said = file.read().decode(errors="replace")
    outcomes = {test: outcome.lower() for outcome, test in OUTCOME.findall(ended.stdout)}
    return Ran(outcomes, frozenset(re.findall(r"'reached by ([^']+)'", said)), ended.stdout + ended.stderr, folder)


def ways_in(name: str) -> set[str]:
    tree = ast.parse((WAYS / name).read_text())
    return {node.name.removeprefix("test_") for node in tree.body if isinstance(node, ast.FunctionDef)} - {"run"}


def test_ways_that_are_stopped(pair: Pair, tmp_path: Path) -> None:
    """Each way fails its test, though it swallows the refusal, and production hears nothing of its statement."""
    ran = run(pair, tmp_path, "stopped.py")
    assert {test.partition("[")[0] for test in ran.outcomes} == ways_in("stopped.py"), ran.output
    passed = sorted(test for test, outcome in ran.outcomes.items() if outcome == "passed")
    assert (passed, sorted(ran.reached)) == ([], []), ran.output
    assert not (tmp_path / "prod.db").exists() or (tmp_path / "prod.db").read_bytes() == b""


def test_ways_that_are_not_stopped(pair: Pair, tmp_path: Path) -> None:
    """What docs/guard.md says is not stopped is not: each gets there."""
    ran = run(pair, tmp_path, "through.py")
    assert {test: "passed" for test in ways_in("through.py")} == ran.outcomes, ran.output
    silent = {
        "protocol_spoken_by_the_application", "another_name_of_a_file", "another_interpreter_in_the_process",
        "role_that_all_databases_share",
    }  # fmt: skip
    assert ran.reached == ran.outcomes.keys() - silent, ran.output
    for named in ("(-I, -E or -S)", "are removed", "PYTHONPATH is replaced", "another interpreter"):
        assert re.search(rf"not guarded: .*{re.escape(named)}.*(conftest|through)\.py:\d", ran.output), named


def test_names_that_were_taken_before_the_guard(pair: Pair, tmp_path: Path) -> None:
    """What a plugin took out of a driver before the guard was loaded connects to nothing else than the rest."""
    ran = run(pair, tmp_path, "bound.py", "-p", "early")
    assert ran.outcomes == dict.fromkeys(ways_in("bound.py"), "failed"), ran.output
    assert ran.reached == frozenset()


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_a_connection_that_was_opened_before_the_guard(pair: Pair, tmp_path: Path, driver: str) -> None:
    """A connection of a plugin that was loaded before the guard is named, with who holds it, and the run refused."""
    ran = run(pair, tmp_path, "bound.py", "-p", "early", OPENS=driver)
    side = pair.production
    assert ran.outcomes == {}
    held = f"{side.host}:{side.port}/{side.database}, held by the module early, was opened before the guard was loaded."
    assert held in ran.output, ran.output
    assert side.password not in ran.output


def test_the_page_names_each_way_that_is_not_stopped() -> None:
    """docs/guard.md has a row for every way that gets there, and a test for every row."""
    named = re.findall(r"`(\w+\.py)::test_(\w+)`", PAGE.read_text())
    assert {test for file, test in named if file == "through.py"} == ways_in("through.py")
    others = {test for file, test in named if file == "test_run.py"}
    assert others <= set(re.findall(r"def test_(\w+)", (WAYS.parent / "guard" / "test_run.py").read_text()))
