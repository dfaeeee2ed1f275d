"""The small projects beside this file: what is expected of each (its expected.toml), and how it is run.

A project with a fault is named after its kind of finding; `# <- culprit` in its source marks the line that a finding
must name (one of them, if several would do), `# <- also` a line that belongs to the explanation. Folders of projects
without a fault begin with clean_, and nothing may be found in them.

[diagnosis] has the expected `status`; if that is unresolved, words of the reason (`says`); for a diagnosis of what a
test depends on (kit diagnose --test), that `test`; the `file` of the cause if it is not the finding's (its line is
marked, too); and the maximum number of `runs` if the default is too small.

Placeholders in allow, forbidden, environ and files named *.conf: {tmp} the temporary folder, {test} and {production} a
server's database as host:port/name, {test_url:DRIVER} its URL, {test_server} its host:port, {test_admin_url} a
superuser's URL; {test_host}, {test_port}, {test_name}, {test_user} and {test_password} the parts of its URL.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from kit.pair import Pair, Side
from kit.trials import fork_server

HERE = Path(__file__).parent
CULPRIT, ALSO = "# <- culprit", "# <- also"
TIMEOUT_S = 120
STACKS = ("current", "2023-11")  # today's versions, and those of the report; each case runs on both
_INHERITED = ("HOME", "LANG", "LC_ALL", "PATH")
_OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR) (\S+)", re.MULTILINE)
_SIDES = ("production", "test")


@dataclass(frozen=True, slots=True)
class Database:
    """A database that exists before the tests: a file of the project, or a side of the pair.

    `after` maps queries to their expected results after the tests.
    """

    file: str | None
    side: str | None
    sql: str
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """The lines of a project file with a certain mark; all of them are in `lines`."""

    file: str
    lines: frozenset[int]


@dataclass(frozen=True, slots=True)
class Case:
    """One project. `alone` are outcomes of tests that are run alone; `finding` is None for a clean project.

    `stacks` are the stacks on which it is run: all of them, unless the versions do not matter for it.
    """

    name: str
    summary: str
    source: Path
    folder: str
    command: tuple[str, ...]
    allow: tuple[str, ...]
    forbidden: tuple[str, ...]
    environ: Mapping[str, str]
    databases: tuple[Database, ...]
    outcomes: Mapping[str, str]
    alone: Mapping[str, str]
    finding: Mapping[str, Any] | None
    diagnosis: Mapping[str, Any] | None
    stacks: tuple[str, ...] = STACKS

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `kit diagnose` besides the allow-list."""
        return ("--test", self.diagnosis["test"]) if self.diagnosis and "test" in self.diagnosis else ()

    @property
    def is_proved(self) -> bool:
        """Whether re-runs must prove its cause; otherwise the diagnosis must be unresolved."""
        return self.diagnosis is not None and self.diagnosis["status"] == "proved"

    @property
    def needs_pair(self) -> bool:
        """Whether its databases are on the pair's servers."""
        return any("url" in value for value in self.environ.values())

    @property
    def culprit(self) -> Place:
        """The location that the finding must name."""
        assert self.finding is not None
        return marked(self.source / self.folder, self.finding["file"], CULPRIT)

    @property
    def cause(self) -> Place:
        """The location that the cause must name."""
        file = self.diagnosis.get("file") if self.diagnosis else None
        return self.culprit if file is None else marked(self.source / self.folder, file, CULPRIT)

    def prepare(self, workspace: Path, pair: Pair | None) -> Prepared:
        """Copy the project into a workspace and create its databases; return it with its environment."""
        project, tmp = workspace / "project", workspace / "tmp"
        shutil.copytree(self.source, project, ignore=shutil.ignore_patterns("__pycache__", "expected.toml"))
        tmp.mkdir()
        words = {"tmp": str(tmp), **({} if pair is None else _words(pair))}
        for path in project.rglob("*.conf"):
            path.write_text(path.read_text().format(**words))
        prepared = Prepared(
            case=self, folder=project / self.folder, pair=pair,
            environ={
                **{name: os.environ[name] for name in _INHERITED if name in os.environ},
                "TMPDIR": str(tmp), "PYTHONDONTWRITEBYTECODE": "1",
                **{name: value.format(**words) for name, value in self.environ.items()},
            },
            allow=tuple(entry.format(**words) for entry in self.allow),
            forbidden=tuple(entry.format(**words) for entry in self.forbidden),
        )
        for database in self.databases:
            prepared.make(database)
        return prepared


@dataclass(frozen=True, slots=True)
class Prepared:
    """A project that is ready to run, in a folder of its own."""

    case: Case
    folder: Path
    pair: Pair | None
    environ: Mapping[str, str] = field(repr=False)
    allow: tuple[str, ...]
    forbidden: tuple[str, ...]

    def command(self, python: Path | str, *only: str) -> tuple[str, ...]:
        """Its command with this interpreter; with `only`, a command that runs these tests alone."""
        command = self.case.command
        if only:
            command = ("-m", "pytest", *only)
        return (str(python), *command)

    def run(self, python: Path | str, *only: str, options: Sequence[str] = (), path: Path | None = None) -> Ran:
        """Run its tests without the kit, unless `options` turn it on and `path` leads to it.

        They run in a fork of an interpreter that has imported the third-party libraries (kit.trials.fork_server).
        """
        environ = {**self.environ, **({} if path is None else {"PYTHONPATH": str(path)})}
        command = (*self.command(python, *only), "-rA", *options)
        with fork_server.parents(str(python), self.environ, 1) as (parent,):
            ended = parent.ready().run(command, environ, self.folder, TIMEOUT_S)
        assert ended.exit_code is not None, ended
        return Ran(ended.exit_code, ended.output)

    def make(self, database: Database) -> None:
        """Create a database in its state before the tests."""
        if database.file is not None:
            path = self.folder / database.file
            path.parent.mkdir(parents=True, exist_ok=True)
            if database.sql:
                with closing(sqlite3.connect(path)) as connection:
                    connection.executescript(database.sql)
        elif database.sql:
            with psycopg.connect(self.side(database.side).url(), autocommit=True) as connection:
                connection.execute(database.sql.encode())

    def ask(self, database: Database, question: str) -> Any:
        """Run one query on a database; return the first field of the result."""
        if database.file is not None:
            with closing(sqlite3.connect(self.folder / database.file)) as connection:
                (answer,) = connection.execute(question).fetchone()
                return answer
        with psycopg.connect(self.side(database.side).url()) as server:
            row = server.execute(question.encode()).fetchone()
            return row and row[0]

    def side(self, name: str | None) -> Side:
        assert self.pair is not None
        return self.pair.production if name == "production" else self.pair.test


@dataclass(frozen=True, slots=True)
class Ran:
    """The result of a pytest run."""

    exit_code: int
    output: str

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcome of each test, by its id."""
        return {test: outcome.lower() for outcome, test in _OUTCOME.findall(self.output)}


def marked(folder: Path, file: str, mark: str) -> Place:
    """Find the lines of a file that end in a mark."""
    text = (folder / file).read_text()
    lines = {number for number, line in enumerate(text.splitlines(), 1) if line.endswith(mark)}
    return Place(file, frozenset(lines))


def load(source: Path) -> Case:
    """Read the expected.toml of a project."""
    known = tomllib.loads((source / "expected.toml").read_text())
    databases = tuple(
        Database(entry.get("file"), entry.get("side"), entry.get("sql", ""), entry.get("after", {}))
        for entry in known.get("database", ())
    )
    return Case(
        name=source.name, summary=known["summary"], source=source, folder=known.get("folder", "."),
        command=tuple(known["command"]), allow=tuple(known["allow"]), forbidden=tuple(known.get("forbidden", ())),
        environ=known.get("environ", {}), databases=databases, outcomes=known["outcomes"],
        alone=known.get("alone", {}), finding=known.get("finding"), diagnosis=known.get("diagnosis"),
        stacks=tuple(known.get("stacks", STACKS)),
    )


class _Url:
    """Formats as the URL for a driver: {test_url:asyncpg}."""

    def __init__(self, side: Side) -> None:
        self._side = side

    def __format__(self, driver: str) -> str:
        return self._side.url(driver or None)


def _words(pair: Pair) -> dict[str, Any]:
    words: dict[str, Any] = {}
    for name, side in zip(_SIDES, pair.sides, strict=True):
        server = f"{side.host}:{side.port}"
        words |= {
            name: f"{server}/{side.database}", f"{name}_url": _Url(side), f"{name}_server": server,
            f"{name}_admin_url": side.admin, f"{name}_host": side.host, f"{name}_port": side.port,
            f"{name}_name": side.database, f"{name}_user": side.user, f"{name}_password": side.password,
        }
    return words


CASES = tuple(load(path.parent) for path in sorted(HERE.glob("*/expected.toml")))
FAULTY = tuple(case for case in CASES if case.finding is not None)
CLEAN = tuple(case for case in CASES if case.finding is None)
