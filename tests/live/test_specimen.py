"""The reported failure in the specimen: real pytest, real servers, both stacks.

Each run is what a person types, in a copy of the project, with the two variables that its README sets. They are run in
forks of an interpreter that has the libraries in it (kit.trials.fork_server), but for the README's own commands: these
are typed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from kit.pair import SEEDED_SITES, Pair, Side, open_pair
from kit.specimens.attempts import SPECIMEN
from kit.specimens.build import write_project
from kit.specimens.mechanisms import MECHANISMS, REPORTED_MECHANISMS
from kit.trials import fork_server
from kit.trials.stacks import stack
from kit.trials.workspace import base_environ

ONE_TEST = "tests/test_api_sites.py::test_get_sites_empty"
SUITE = "tests"
STACKS = ("current", "2023-11")
LIMIT_S = 120.0
FOUR_ATTEMPTS = ("dependency_override", "fastapi_deps", "module_mocking", "fresh_app")
SEED = (SPECIMEN.parents[1] / "pair/sql/seed.sql").read_text()


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of pytest said, and what it left in both databases.

    `production_changed` counts the rows of production that were added or are not as they were seeded.
    """

    passed: int
    failed: int
    output: str
    production_changed: int
    test_rows: int

    @property
    def saw_production(self) -> bool:
        """Whether a request was answered with production's sites, where none was expected."""
        return f"Left contains {SEEDED_SITES} more items" in self.output


@dataclass(frozen=True, slots=True)
class Bench:
    """Runs the specimen against a pair that nobody else uses."""

    pair: Pair
    directory: Path

    def run(
        self,
        target: str = SUITE,
        *,
        mechanisms: Iterable[str] = REPORTED_MECHANISMS,
        attempt: str = "dependency_override",
        ci: bool = False,
        stack_name: str = "current",
    ) -> Run:
        """Build a project, run it by hand or the CI way, and look at the databases afterwards."""
        self.reset()
        write_project(self.directory, mechanisms, attempt)
        output = self.fork(target, ci, stack_name)
        counts = re.findall(r"(\d+) (passed|failed)", output.splitlines()[-1])
        found = {word: int(number) for number, word in counts}
        return Run(found.get("passed", 0), found.get("failed", 0), output, self.changed(), self.test_rows())

    def fork(self, target: str, ci: bool, stack_name: str) -> str:
        """Run the tests by hand or through the CI script; return what was printed."""
        python = str(stack(stack_name).python)
        start = ("ci/run_tests.sh",) if ci else (python, "-m", "pytest")
        base = base_environ(python)
        with fork_server.parents(python, base, 1) as (parent,):
            ended = parent.ready().run((*start, *target.split()), {**base, **self.urls()}, self.directory, LIMIT_S)
        assert ended.forked, ended.why_not
        assert ended.exit_code in (0, 1), ended.output
        return ended.output

    def type(self, command: str) -> str:
        """Run a command line as the README has it, in the project's directory; return what it printed."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environ = {"HOME": str(self.directory), "PATH": path}
        ended = subprocess.run(
            command, shell=True, cwd=self.directory, env={**environ, **self.urls()}, timeout=LIMIT_S,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert ended.returncode in (0, 1), ended.stdout
        return ended.stdout

    def urls(self) -> dict[str, str]:
        """The two variables that the README sets."""
        return {
            "TEST_DATABASE_URL": self.pair.test.url("asyncpg"),
            "PRODUCTION_DATABASE_URL": self.pair.production.url("asyncpg"),
        }

    def reset(self) -> None:
        """Give production its seeded sites and the test database none."""
        self.ask(self.pair.production, "truncate sites restart identity")
        self.ask(self.pair.production, SEED)
        self.ask(self.pair.test, "truncate sites restart identity")

    def changed(self) -> int:
        """Count the sites of production that are not as they were seeded."""
        before = SEED.replace("insert into sites (name, url, status, created_at)", "").rstrip("; \n")
        compared = f"select name, url, status, created_at from sites except ({before})"
        return self.ask(self.pair.production, f"select count(*) from ({compared}) as changed")

    def test_rows(self) -> int:
        """Count the sites of the test database."""
        return self.ask(self.pair.test, "select count(*) from sites")

    def ask(self, side: Side, sql: str) -> int:
        """Run SQL as the side's plain user; return the number that it gives, or 0."""
        with psycopg.connect(side.url(), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            row = cursor.fetchone() if cursor.description else None
            return int(row[0]) if row else 0


@pytest.fixture(scope="module")
def own_pair() -> Iterator[Pair]:
    """A pair for this module and worker alone, because these tests write to production."""
    with open_pair("embedded") as pair:
        yield pair


@pytest.fixture
def bench(own_pair: Pair, tmp_path: Path) -> Bench:
    """A bench with an empty directory."""
    return Bench(own_pair, tmp_path / "project")


@pytest.mark.parametrize("stack_name", STACKS)
@pytest.mark.parametrize("attempt", ["none", *FOUR_ATTEMPTS])
class TestTheReportsTable:
    """With the global engine and the variable, and nothing else, every attempt ends as the report says."""

    def test_one_test_by_hand_passes(self, bench: Bench, attempt: str, stack_name: str) -> None:
        """The single test passes by hand, with the test database's no site."""
        run = bench.run(ONE_TEST, attempt=attempt, stack_name=stack_name)
        assert (run.passed, run.failed) == (1, 0)

    def test_the_suite_the_ci_way_sees_production(self, bench: Bench, attempt: str, stack_name: str) -> None:
        """The suite fails the CI way with production's sites, while the fixture's own session is on testdb."""
        run = bench.run(SUITE, attempt=attempt, stack_name=stack_name, ci=True)
        assert (run.passed, run.failed, run.saw_production) == (4, 3, True)
        assert run.production_changed == 1  # the test that writes has written there
        assert "VERIFIED: DATABASE_URL names the test database: testdb" in run.output
        assert "VERIFIED: Connected to test database: testdb" in run.output

    def test_the_suite_by_hand_passes(self, bench: Bench, attempt: str, stack_name: str) -> None:
        """The whole suite passes by hand, so that it is not the suite that makes the difference."""
        run = bench.run(SUITE, attempt=attempt, stack_name=stack_name)
        assert (run.passed, run.failed, run.production_changed) == (5, 0, 0)


@pytest.mark.parametrize("stack_name", STACKS)
class TestOnBothStacks:
    """What else the two causes do, and what takes the failure away."""

    def test_one_test_the_ci_way_fails_too(self, bench: Bench, stack_name: str) -> None:
        """The single test fails as well when it is run through the CI script."""
        run = bench.run(ONE_TEST, stack_name=stack_name, ci=True)
        assert (run.passed, run.failed, run.saw_production) == (0, 1, True)

    @pytest.mark.parametrize("cause", sorted(REPORTED_MECHANISMS))
    def test_either_cause_alone_does_nothing(self, bench: Bench, stack_name: str, cause: str) -> None:
        """With the override set, the suite passes the CI way when only one of the two causes is there."""
        run = bench.run(SUITE, mechanisms=[cause], stack_name=stack_name, ci=True)
        assert (run.failed, run.production_changed) == (0, 0)

    @pytest.mark.parametrize("attempt", ["variable_away", "persistent_session", "real_fix"])
    def test_the_fix_and_either_half_end_the_failure(self, bench: Bench, stack_name: str, attempt: str) -> None:
        """The suite passes the CI way, the integration tests too, and production stays as it was."""
        run = bench.run(SUITE, attempt=attempt, stack_name=stack_name, ci=True)
        assert (run.passed, run.failed, run.production_changed) == (7, 0, 0)

    @pytest.mark.parametrize(("attempt", "rows"), [("none", 1), ("real_fix", 0)])
    def test_a_persistent_session_leaves_nothing(self, bench: Bench, stack_name: str, attempt: str, rows: int) -> None:
        """What the test that writes has written remains in the test database, but not with the real fix."""
        run = bench.run("tests/test_api_sites.py::test_create_site", attempt=attempt, stack_name=stack_name)
        assert (run.passed, run.test_rows) == (1, rows)


@pytest.mark.parametrize(
    ("mechanisms", "attempt", "ci", "fails"),
    [
        ((), "none", True, False),
        (("warm_pool",), "none", False, True),
        (("warm_pool",), "dependency_override", False, False),
        (("warm_pool", "global_engine"), "dependency_override", False, True),
        (("second_app",), "dependency_override", False, False),
        (("second_app", "ci_variable"), "dependency_override", True, True),
        (("second_app", "ci_variable"), "fresh_app", True, False),
        (("sqlalchemy_global_state",), "none", False, False),
        (("sqlalchemy_global_state", "global_engine"), "none", False, False),
        (("early_import",), "none", False, True),
        (("early_import",), "dependency_override", False, False),
        (("early_import", "global_engine"), "dependency_override", False, True),
        (("startup_work",), "none", False, False),
        (("background_work",), "none", False, False),
        (("lifespan_engine", "global_engine"), "dependency_override", False, False),
        (("lifespan_engine", "configured_in_fixture"), "none", False, True),
        (("lifespan_engine", "configured_in_fixture"), "dependency_override", False, False),
        (("lifespan_engine", "configured_in_fixture", "global_engine"), "dependency_override", False, True),
        (("lifespan_engine", "configured_first", "global_engine"), "dependency_override", False, False),
        (("suite_variable",), "dependency_override", False, False),
        (("suite_variable", "global_engine"), "dependency_override", False, True),
        (("suite_variable", "global_engine"), "module_mocking", False, False),
        (("suite_variable", "global_engine"), "fresh_app", False, False),
    ],
)
def test_a_mechanism_does_what_it_blames(
    bench: Bench, mechanisms: tuple[str, ...], attempt: str, ci: bool, fails: bool
) -> None:
    """Each mechanism sends requests to production where it can, and nowhere else."""
    run = bench.run(SUITE, mechanisms=mechanisms, attempt=attempt, ci=ci)
    assert (run.failed > 0, run.saw_production, run.production_changed > 0) == (fails, fails, fails)


def test_start_up_work_reads_past_the_override(bench: Bench) -> None:
    """Start-up counts production's sites the CI way, though every request stays on the test database."""
    run = bench.run(f"-s {SUITE}", mechanisms=["startup_work", "ci_variable"], ci=True)
    assert run.failed == 0
    assert f"Watching {SEEDED_SITES} sites" in run.output


def test_background_work_writes_past_the_override(bench: Bench) -> None:
    """A green suite changes a site of production, through the task that runs after the response."""
    run = bench.run(SUITE, mechanisms=["background_work", "ci_variable"], ci=True)
    assert (run.failed, run.production_changed) == (0, 1)


@pytest.mark.parametrize("attempt", ["none", "real_fix"])
def test_all_mechanisms_together(bench: Bench, attempt: str) -> None:
    """With every mechanism on, the suite sees production, and with the real fix it passes."""
    run = bench.run(SUITE, mechanisms=MECHANISMS, attempt=attempt, ci=True)
    assert run.saw_production == (attempt == "none")
    assert (run.failed == 0) == (attempt == "real_fix")


def test_the_readmes_commands_do_what_it_says(bench: Bench) -> None:
    """In a copy of the specimen as it stands, the README's two commands pass, and fail with 731, as it says."""
    bench.reset()
    write_project(bench.directory, REPORTED_MECHANISMS, "dependency_override")
    readme = (bench.directory / "README.md").read_text()
    commands = re.findall(r"(?m)^    (python -m pytest .*|ci/run_tests\.sh.*)$", readme)
    first, second = (bench.type(command) for command in commands)
    assert "1 passed" in first.splitlines()[-1]
    assert "3 failed" in second.splitlines()[-1]
    assert f"Left contains {SEEDED_SITES} more items" in second
