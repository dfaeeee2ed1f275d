"""Runs test suites that others wrote, plain, traced (`kit trace`) and guarded (`--db-guard`), and compares outcomes.

    python tools/other_suites.py list
    python tools/other_suites.py get FOLDER [SUITE ...] [--source NAME=DIR ...]    needs the network
    python tools/other_suites.py run FOLDER [SUITE ...] [--json FILE]              needs none

`get` makes, for each suite, a folder with its tests at a pinned version and an environment; `run` writes to that folder
and nowhere else. There should be no difference: `run` ends with 1 if there is one. An outcome counts as different
if it occurred in every run with the probes, and in no plain one; unsteady outcomes are listed separately.

These are other people's programs: run them where they can do no harm (a container, a user of its own).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import suite_outcomes
from bare_server import bare_server
from other_suites_table import INSTALLED, MODULES_OF_CPYTHON, SUITES, Suite

from kit import processes

HERE = Path(__file__).resolve().parent
MODES = ("plain", "traced", "guarded")
DATABASE, USER = "suite", "postgres"
LIMIT_S = 1800  # of one run
SHOWN = 30  # tests of one suite and mode; the JSON file has all
# These run the copy of the kit whose folder is the first argument.
TRACED = "import sys; sys.path.insert(0, sys.argv.pop(1)); from kit.cli import main; sys.exit(main())"
PYTEST = "import sys; sys.path.insert(0, sys.argv.pop(1)); import pytest; sys.exit(pytest.main())"
GUARD = (
    "-p", "no:kit-db-guard", "-p", "kit.guard.plugin", "--db-guard", "-o", "db_guard_allow=/*\n*:*/*",
    "-o", "db_guard_drivers=python",
)  # fmt: skip
# Prints the interpreter that another one was made from, and which of its own tests exist.
HAS = """\
import importlib.util, sys
print(sys.base_prefix, "%d.%d" % sys.version_info[:2])
print(*(name for name in sys.argv[1:] if importlib.util.find_spec("test." + name)))
"""
# A command is guarded as a child process of a guarded test.
GUARDED_TEST = """\
import os, subprocess

def test_command():
    assert subprocess.run({command!r}).returncode == 0
"""


def main() -> int:
    """Parse the command line and run the phase."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phase", choices=("list", "get", "run"))
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="names, or their beginnings; all without")
    parser.add_argument("--source", action="append", default=[], metavar="NAME=DIR",
                        help="take the tests of this suite from a folder that you have, a checkout of its tag")
    parser.add_argument("--python", action="append", default=[], metavar="PATH",
                        help="an interpreter whose own tests are run too (its suites are named cpython-3.x/...)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found to this file")
    parser.add_argument("--only", choices=MODES[1:], action="append", help="run plain and this; both without")
    given = parser.parse_intermixed_args()
    suites = chosen([*of_interpreters(given.python or [sys.executable]), *INSTALLED, *SUITES], given.suites)
    if given.phase == "list":
        return list_all(suites)
    if given.folder is None:
        parser.error("FOLDER is missing")
    folder = given.folder.resolve()
    if given.phase == "get":
        return get(folder, suites, dict(one.split("=", 1) for one in given.source))
    return run(folder, suites, tuple(given.only or MODES[1:]), given.json)


def of_interpreters(pythons: Sequence[str]) -> Iterator[Suite]:
    """Yield the test suites of interpreters; reports missing ones (Debian leaves them out)."""
    for python in pythons:
        answer = subprocess.run([python, "-c", HAS, *MODULES_OF_CPYTHON], capture_output=True, text=True, check=True)
        prefix, version, *there = answer.stdout.split()
        if missing := [name for name in MODULES_OF_CPYTHON if name not in there]:
            print(f"other_suites: {prefix}'s Python {version} came without {', '.join(missing)}", file=sys.stderr)
        for module in there:
            yield Suite(f"cpython-{version}/{module}", unittest=f"test.{module}",
                        interpreter=f"{prefix}/bin/python{version}")


def chosen(suites: Sequence[Suite], names: Sequence[str]) -> list[Suite]:
    """Return the named suites. SystemExit for an unknown name."""
    for name in names:
        if not any(suite.name.startswith(name) for suite in suites):
            raise SystemExit(f"other_suites: no suite is named {name}. There are: {', '.join(s.name for s in suites)}")
    return [suite for suite in suites if not names or suite.name.startswith(tuple(names))]


def list_all(suites: Sequence[Suite]) -> int:
    """List the suites, and where their tests come from."""
    for suite in suites:
        print(f"{suite.name:32} {suite.version:40} {suite.needed_source}")
    return 0


# --- getting ---------------------------------------------------------------------------------------------------------


def get(folder: Path, suites: Sequence[Suite], sources: Mapping[str, str]) -> int:
    """Get sources and environments; report what is missing, and return 1 then."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = []
    for suite in {suite.home: suite for suite in suites if suite.requirement}.values():
        print(f"{suite.home}: {suite.requirement}", flush=True)
        try:
            get_source(folder / suite.home, suite, sources.get(suite.home))
            get_environment(folder / suite.home, suite)
        except NotHad as error:
            missing.append(f"{suite.home}: {error}")
    for line in missing:
        print(f"other_suites: not had: {line}", file=sys.stderr)
    return 1 if missing else 0


class NotHad(Exception):
    """Something that a suite needs could not be got."""


def get_source(home: Path, suite: Suite, given: str | None) -> None:
    """Put the suite's files into `source`: a copy of a given folder, or PyPI's source distribution."""
    source = home / "source"
    shutil.rmtree(source, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    if given is not None:
        shutil.copytree(given, source, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    elif suite.needed_source:
        raise NotHad(f"its source distribution has no tests: give --source {suite.home}=DIR, {suite.needed_source}")
    else:
        unpack(download(home, suite.requirement), source)
    if not (source / suite.tests).is_dir():
        raise NotHad(f"{given or suite.requirement} has no folder {suite.tests}")


def download(home: Path, requirement: str) -> Path:
    """Download a source distribution."""
    name = re.split(r"[\[=<>]", requirement)[0]  # only for this package: its build requirements may be wheels
    with tempfile.TemporaryDirectory(dir=home) as into:
        command = [*pip(), "download", "--quiet", "--no-deps", "--no-binary", name, "--dest", into, requirement]
        ended = subprocess.run(command, capture_output=True, text=True)
        found = list(Path(into).iterdir())
        if ended.returncode != 0 or not found:
            raise NotHad(f"pip download {requirement}: {ended.stderr.strip()[-500:]}")
        return found[0].replace(home / found[0].name)


def pip() -> list[str]:
    """Return the command of a pip; uv's environments have none."""
    for python in (sys.executable, os.path.join(sys.base_prefix, "bin", "python3")):
        if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0:
            return [python, "-m", "pip"]
    raise NotHad("there is no pip: python -m ensurepip")


def unpack(archive: Path, source: Path) -> None:
    """Unpack an archive; its only folder becomes `source`."""
    with tempfile.TemporaryDirectory(dir=source.parent) as into:
        with tarfile.open(archive) as tar:
            tar.extractall(into, filter="data")
        next(Path(into).iterdir()).replace(source)


def get_environment(home: Path, suite: Suite) -> None:
    """Create the suite's environment from wheels only, so that no code of packages runs during the installation."""
    uv = [sys.executable, "-m", "uv"]
    install = [*uv, "pip", "install", "--quiet", "--only-binary", ":all:", "--python", str(home / "venv")]
    for command in (
        [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home / "venv")],
        [*install, suite.requirement, *suite.needs],
    ):
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode != 0:
            raise NotHad(f"{' '.join(command)}: {ended.stderr.strip()[-800:]}")


# --- running ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """One run: the outcome of each test, the reasons of failures, and how the command ended."""

    outcomes: Mapping[str, tuple[str, ...]]
    reasons: Mapping[str, str]
    ended: str


@dataclass
class Compared:
    """The result of a suite in all modes."""

    suite: str
    version: str
    plain: Mapping[str, int] = field(default_factory=dict)
    differ: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)  # by mode, by test
    unsteady: dict[str, list[str]] = field(default_factory=dict)  # by mode
    not_had: str = ""


def run(folder: Path, suites: Sequence[Suite], modes: Sequence[str], into: Path | None) -> int:
    """Run all suites, and print the result after each."""
    found: list[Compared] = []
    with copy_of_the_kit(folder) as carried, server(any(suite.postgres for suite in suites)) as port:
        for suite in suites:
            if suite.requirement and not (folder / suite.home / "venv").is_dir():
                found.append(Compared(suite.name, suite.version, not_had="run `get` first"))
            else:
                found.append(tried(Place(folder, carried, suite, port), modes))
            print(line(found[-1], modes), flush=True)
            for text in details(found[-1]):
                print(f"    {text}", flush=True)
            if into is not None:
                into.write_text(json.dumps([asdict(one) for one in found], indent=2))
    differing = sum(len(tests) for one in found for tests in one.differ.values())
    print(f"{len(found)} suites, {sum(bool(one.not_had) for one in found)} not had; {differing} outcomes differ")
    return 1 if differing or any(one.not_had for one in found) else 0


def tried(place: Place, modes: Sequence[str]) -> Compared:
    """Compare one suite; an error does not stop the others."""
    compared = Compared(place.suite.name, place.suite.version)
    try:
        compare(place.run, compared, modes)
    except Exception as error:
        compared.not_had = f"{type(error).__name__}: {error}"
    if not (compared.plain.get("passed") or compared.not_had):
        compared.not_had = f"no test passed: see {place.log('plain')}"
    return compared


def line(one: Compared, modes: Sequence[str]) -> str:
    """Return a suite's row."""
    if one.not_had:
        return f"{one.suite:32} not had: {one.not_had}"
    plain = ", ".join(f"{count} {outcome}" for outcome, count in one.plain.items())
    return f"{one.suite:32} {plain:48} " + "  ".join(f"{mode}: {len(one.differ[mode])} differ" for mode in modes)


def details(one: Compared) -> Iterator[str]:
    """Name each test that differs."""
    for mode, tests in one.differ.items():
        for test in list(tests)[:SHOWN]:
            yield f"{mode}: {test}: {tests[test]['plain']} became {tests[test]['now']}"
        if len(tests) > SHOWN:
            yield f"{mode}: and {len(tests) - SHOWN} more"
    for mode, names in one.unsteady.items():
        for test in names:
            yield f"unsteady, {mode}: {test}"


def compare(run_once: Callable[[str], Ran], compared: Compared, modes: Sequence[str]) -> None:
    """Run a suite in all modes, and again in both where something differs."""
    plain = [run_once("plain")]
    compared.plain = dict(Counter(outcome for outcomes in plain[0].outcomes.values() for outcome in set(outcomes)))
    for mode in modes if compared.plain.get("passed") else ():
        runs = [run_once(mode)]
        if different(plain, runs):
            plain += [run_once("plain")]
            runs += [run_once(mode)]
        always = different(plain, runs)
        compared.differ[mode] = {
            test: {"plain": shown(plain, test), "now": shown(runs, test), "why": why(plain, runs, test)}
            for test in always
        }
        compared.unsteady[mode] = sorted({test for one in runs for test in different(plain, [one])} - set(always))


def different(plain: Sequence[Ran], runs: Sequence[Ran]) -> list[str]:
    """Return the tests with an outcome in every one of the runs that they had in no plain run."""
    tests = sorted({test for one in (*plain, *runs) for test in one.outcomes})
    differing = [test for test in tests if not set(seen(plain, test)) & set(seen(runs, test))]
    endings = {one.ended for one in plain}
    return differing + [END for _ in range(1) if not endings & {one.ended for one in runs}]


END = "(how the command ended)"


def seen(runs: Sequence[Ran], test: str) -> list[tuple[str, ...]]:
    """Return a test's outcomes in each run."""
    return [one.outcomes.get(test, ("not run",)) for one in runs]


def shown(runs: Sequence[Ran], test: str) -> str:
    """A test's outcomes in words."""
    return " / ".join([one.ended for one in runs] if test == END else [", ".join(each) for each in seen(runs, test)])


def why(plain: Sequence[Ran], runs: Sequence[Ran], test: str) -> str:
    """Return the reason of a failure, from any run that has one."""
    return next((one.reasons[test] for one in (*runs, *plain) if one.reasons.get(test)), "")


@dataclass(frozen=True)
class Place:
    """The resources of a suite's run: its folder, a copy of the kit, the server."""

    folder: Path
    carried: Path
    suite: Suite
    port: int

    @property
    def home(self) -> Path:
        return self.folder / self.suite.home

    def log(self, mode: str) -> Path:
        """Return the file with the output of the last run in this mode."""
        return self.home / f"{self.suite.name.rpartition('/')[2]}-{mode}.log"

    def run(self, mode: str) -> Ran:
        """Run the suite once, with fresh files and a fresh database."""
        work = self.home / "work"
        shutil.rmtree(work, ignore_errors=True)
        if self.suite.requirement:
            shutil.copytree(self.home / "source", work, symlinks=True)
            for package in self.suite.without:
                shutil.rmtree(work / package)
        else:
            work.mkdir(parents=True)
            for name, text in self.suite.files:
                (work / name).write_text(text)
        if self.suite.postgres:
            fresh_database(self.port, self.suite.prepare)
        outcomes, log = self.log(mode).with_suffix(".outcomes"), self.log(mode)
        outcomes.unlink(missing_ok=True)
        with log.open("wb") as output:
            ended = ended_of(self.command(mode, outcomes), work, self.environ(), output)
        return ran(outcomes, ended, self.suite.drawn)

    def command(self, mode: str, outcomes: Path) -> list[str]:
        """Return the command to run."""
        named = [self.filled(argument) for argument in self.suite.arguments]
        pytest = ["-p", "suite_outcomes", f"--suite-outcomes={outcomes}", *named]
        if self.suite.unittest:
            runner = str(self.carried / "suite_outcomes.py")
            plain = [self.suite.interpreter, runner, str(outcomes), self.suite.unittest]
        elif self.suite.interpreter:
            plain = [self.suite.interpreter, "-c", PYTEST, str(self.carried), *pytest]
        else:
            plain = [str(self.home / "venv/bin/python"), str(self.home / "venv/bin/pytest"), *pytest]
        return in_mode(mode, plain, self.carried, self.home, is_pytest=not self.suite.unittest)

    def filled(self, text: str) -> str:
        """Insert the server into an argument or a variable."""
        url = f"{USER}@127.0.0.1:{self.port}/{DATABASE}"
        return text.replace("{url}", url).replace("{port}", str(self.port)).replace("{database}", DATABASE)

    def environ(self) -> dict[str, str]:
        """Return the variables for all modes; makes the plugin and the kit importable in the environment."""
        kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        variables = {name: self.filled(value) for name, value in self.suite.variables}
        if self.suite.requirement:
            (site,) = (self.home / "venv").glob("lib/python3*/site-packages")
            (site / "other_suites.pth").write_text(f"{self.carried}\n")
        return kept | variables


def in_mode(mode: str, plain: Sequence[str], kit: Path, folder: Path, is_pytest: bool) -> list[str]:
    """Return the command that runs a suite in a mode, with the kit in the folder `kit`; its files go to `folder`."""
    if mode == "plain":
        return list(plain)
    if mode == "traced":
        return [sys.executable, "-c", TRACED, str(kit), "trace", "--json", str(folder / "answer.json"), "--", *plain]
    if is_pytest:
        return [*plain, *GUARD]
    test = folder / "test_guarded.py"
    test.write_text(GUARDED_TEST.format(command=list(plain)))
    return [sys.executable, "-c", PYTEST, str(kit), "-s", str(test), *GUARD]


def ran(outcomes: Path, ended: str, drawn: str) -> Ran:
    """Read the results of a run."""
    found: dict[str, list[str]] = {}
    reasons: dict[str, str] = {}
    for one in suite_outcomes.read(str(outcomes)):
        test = re.sub(drawn, "", one["test"]) if drawn else one["test"]
        found.setdefault(test, []).append(one["outcome"])
        if one["reason"]:
            reasons[test] = one["reason"]
    return Ran({test: tuple(sorted(each)) for test, each in found.items()}, reasons, ended)


def ended_of(command: Sequence[str], work: Path, environ: Mapping[str, str], output: object) -> str:
    """Run a command and end its remaining processes; return how it ended."""
    name, value = "OTHER_SUITES_RUN", secrets.token_hex(8)  # identifies processes that leave the session
    process = subprocess.Popen(
        command, cwd=work, env={**environ, name: value}, start_new_session=True, stdin=subprocess.DEVNULL,  # type: ignore[call-overload]
        stdout=output, stderr=subprocess.STDOUT,
    )
    try:
        return f"exit {process.wait(LIMIT_S)}"
    except subprocess.TimeoutExpired:
        return f"still running after {LIMIT_S} s"
    finally:
        processes.end(process.pid, f"{name}={value}")
        process.wait()


@contextmanager
def copy_of_the_kit(folder: Path) -> Iterator[Path]:
    """A copy of the kit next to the suites, so that a run of hours uses one version and its compiled files."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="carried-", dir=folder) as name:
        shutil.copytree(HERE.parent / "kit", Path(name, "kit"))
        shutil.copy(HERE / "suite_outcomes.py", name)
        yield Path(name)


# --- the server ------------------------------------------------------------------------------------------------------


@contextmanager
def server(needed: bool) -> Iterator[int]:
    """A Postgres server on loopback, if needed; yields its port, else 0."""
    if needed:
        with bare_server(USER, max_prepared_transactions=20, max_connections=200, max_wal_size="256MB") as port:
            yield port
    else:
        yield 0


def fresh_database(port: int, statements: Sequence[str]) -> None:
    """Drop and create the suites' database."""
    import psycopg

    with psycopg.connect(f"postgresql://{USER}@127.0.0.1:{port}/postgres", autocommit=True) as connection:
        connection.execute(f"drop database if exists {DATABASE} with (force)")
        connection.execute(f"create database {DATABASE}")
    with psycopg.connect(f"postgresql://{USER}@127.0.0.1:{port}/{DATABASE}", autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


if __name__ == "__main__":
    sys.exit(main())
