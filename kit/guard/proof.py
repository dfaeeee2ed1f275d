"""Runs of a project's pytest that report its configuration, the collected tests, and the outcomes of planted tests.

Each run uses the project's own interpreter with a plugin that writes down what pytest knows. Report files that the
project's options request go to a temporary folder, and no compiled files are written to the project.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit import processes
from kit.errors import GuardError
from kit.guard.config import LIST, OPTION
from kit.probes.redact import redact
from kit.workfolder import workfolder

TIMEOUT_S = 600
OTHER_PYTHON = "name the interpreter of the project's tests: --python"
_NAME = "_kit_guard_proof"
_FOLDER = "kit-guard-"
_PLUGIN = '''
import json
import os

import pytest

MODE, FILE = os.environ["KIT_GUARD_PROOF"].split(":", 1)
errors, outcomes = [], {}


def write(config, **found):
    try:
        listed = config.getini("db_guard_allow")
    except (KeyError, ValueError):
        listed = None
    # What stands in the configuration counts, not what is said on the command line or by PYTEST_ADDOPTS.
    on = None if listed is None else "--db-guard" in config.getini("addopts")
    found.update(
        on=on, config=str(config.inipath) if config.inipath else None, root=str(config.rootpath), listed=listed,
        version=int(pytest.__version__.split(".")[0]),
    )
    with open(FILE, "w", encoding="utf-8") as file:
        json.dump(found, file)


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_load_initial_conftests(early_config):
    if MODE == "read":
        write(early_config)
        raise SystemExit(0)
    early_config.known_args_namespace.cov_source = None  # pytest-cov
    yield


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    for option in ("xmlpath", "log_file", "htmlpath", "json_report_file", "allure_report_dir"):
        if getattr(config.option, option, None):
            setattr(config.option, option, os.path.join(os.path.dirname(FILE), option))
    if MODE == "run":
        config.args = [os.environ["KIT_GUARD_PLANTED"]]


def pytest_collectreport(report):
    if report.failed:
        errors.append([report.nodeid, str(report.longrepr)])


def pytest_runtest_logreport(report):
    name = report.nodeid.rpartition("::")[2]
    outcomes[name] = "failed" if report.failed else outcomes.get(name, report.outcome)


def pytest_sessionfinish(session):
    if MODE != "read" and not hasattr(session.config, "workerinput"):
        where = session.config.rootpath
        write(
            session.config, outcomes=outcomes,
            tests=[str(where / item.nodeid) for item in getattr(session, "items", [])],
            errors=[[str(where / node), text] for node, text in errors],
        )
'''


@dataclass(frozen=True, slots=True)
class PytestRun:
    """The report of a pytest run: its configuration, the guard's list, and what was collected and run.

    `on` and `listed` are None when pytest does not have the guard's plugin. `errors` are (node, message) pairs.
    """

    root: Path
    config: Path | None
    version: int
    on: bool | None
    listed: tuple[str, ...] | None
    tests: tuple[str, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    outcomes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suite:
    """A project's tests, run by the project's interpreter; `folder` is for temporary files."""

    project: Path
    python: str
    folder: Path

    def read(self) -> PytestRun:
        """Find out which configuration pytest reads. Imports nothing of the project except its plugins."""
        return self._run("read", ("--collect-only",))

    def collected(self, allow: Sequence[str] | None = None) -> PytestRun:
        """Collect the tests; with a list, under the guard with that list."""
        guarded = () if allow is None else (OPTION, "-o", f"{LIST}=" + "\n".join(allow))
        return self._run("collect", ("--collect-only", "-q", *guarded))

    def planted(self, text: str, config: Path, *options: str) -> dict[str, str]:
        """{planted test: outcome} under a configuration, whatever tests its own options select or stop at."""
        inside = Path(self.folder, "guarded" if not options else "free")
        inside.mkdir()
        (inside / "test_planted.py").write_text(text)
        chosen = ("-k", "", "-m", "", "--maxfail=0")
        named = ("-c", str(config), "--rootdir", str(self.project))
        run = self._run("run", (*named, *options, *chosen), inside)
        return run.outcomes

    def _run(self, mode: str, options: Sequence[str], cwd: Path | None = None) -> PytestRun:
        result = self.folder / f"{mode}.json"
        result.unlink(missing_ok=True)
        (self.folder / f"{_NAME}.py").write_text(_PLUGIN)
        path = [str(self.folder), *filter(None, [str(self.project) if cwd else "", os.environ.get("PYTHONPATH")])]
        environ = {
            **os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(self.folder),  # files that an interrupted run leaves are removed with the folder
            "COVERAGE_FILE": str(self.folder / "coverage"), "KIT_GUARD_PROOF": f"{mode}:{result}",
            "KIT_GUARD_PLANTED": str(cwd and cwd / "test_planted.py"),
        }
        command = [
            self.python, "-m", "pytest", "-p", _NAME, "-o", f"cache_dir={self.folder / 'cache'}", *options,
        ]  # fmt: skip
        try:
            ended = processes.run(
                command, timeout_s=TIMEOUT_S, cwd=cwd or self.project, env=environ, errors="replace",
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            why = f"{error.strerror}" if isinstance(error, OSError) else f"{error}"
            raise GuardError(
                f"{self.python} could not run pytest: {why}", wanted="the path of a Python, or its name in PATH",
                remedy=OTHER_PYTHON,
            ) from None
        return _parse_result(result, self.python, ended.stdout + ended.stderr, ended.returncode)


@contextmanager
def suite_of(project: Path, python: str) -> Iterator[Suite]:
    """A Suite with a temporary folder."""
    with workfolder(_FOLDER) as folder:
        yield Suite(project, python, folder)


def _parse_result(result: Path, python: str, output: str, exit_code: int) -> PytestRun:
    try:
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise _no_result(python, output, exit_code) from None
    return PytestRun(
        Path(found["root"]), Path(found["config"]) if found["config"] else None, found["version"], found["on"],
        None if found["listed"] is None else tuple(found["listed"]), tuple(found.get("tests", ())),
        tuple((node, text) for node, text in found.get("errors", ())), found.get("outcomes", {}),
    )  # fmt: skip


def _no_result(python: str, output: str, exit_code: int) -> GuardError:
    if f"unrecognized arguments: {OPTION}" in output or "No module named pytest" in output:
        return no_guard(python)
    said = [line.strip() for line in output.splitlines() if line.strip()]
    if not said:
        return GuardError(
            f"{python} -m pytest wrote nothing, and ended with exit code {exit_code}", wanted="a Python with pytest",
            remedy=OTHER_PYTHON,
        )
    return GuardError(f"pytest could not be run in the project: {redact(' '.join(said[-3:]))}", remedy="fix it first")


def no_guard(python: str) -> GuardError:
    """The error when the tests' interpreter lacks pytest or the kit."""
    return GuardError(
        f"{python} has no pytest with the guard", remedy=f"{install_command(python)}, or {OTHER_PYTHON}"
    )


def install_command(python: str = "python") -> str:
    """The command that installs this kit beside a project's tests, from the source of this installation."""
    return f"{python} -m pip install {_source()}"


def _source() -> str:
    """The folder of a clone, the file or URL that the kit was installed from, else its name on PyPI."""
    from importlib import metadata

    folder = Path(__file__).resolve().parents[2]
    if (folder / "pyproject.toml").is_file():
        return str(folder)
    name = "fastapi-database-isolation-kit"
    try:
        text = metadata.distribution(name).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        text = None
    url: str = json.loads(text).get("url", "") if text else ""
    return url.removeprefix("file://") if url else name
