"""The guard of a run of pytest: no test reaches a database that its list does not name, and none fails unseen.

A refused connection raises where it was asked for. Whether or not that comes through (an application may swallow it, a
thread has nobody to tell), the refusal is also written to a file, by this process and by those that it starts; after
each phase of a test the file is looked at, and the phase fails.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.probes.allow import AllowList, MalformedEntry
from kit.probes.gate import message
from kit.probes.guarding import Guard

_SECTION = "db-guard"
_CARRIED = "_isolation_probes"  # the name of the probes where another process carried them into this one
_LATE = "after the last test"


class GuardedRun:
    """The plugin of one run, from the loading of the conftests to the end; each worker of pytest-xdist has its own."""

    def __init__(self, config: pytest.Config) -> None:
        carried = sys.modules.get(_CARRIED)
        if carried is not None:  # the controller's, for the time before this
            carried.guarding.end_carried()
        allow = allow_list(config)
        self._number, name = tempfile.mkstemp(prefix="db-guard-", suffix=".jsonl")
        self._file, self._read, self._open = Path(name), 0, True
        self._late: list[str] = []
        self._guard = Guard(allow, name)
        self._guard.carry()

    def end(self) -> None:
        """Take the guard out of this process."""
        if self._open:
            self._open = False
            self._guard.remove()
            os.close(self._number)
            self._file.unlink()

    # --- while tests are collected and run ---------------------------------------------------------------------------

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self) -> Iterator[None]:
        """Fail what was being imported when a connection was refused."""
        outcome: Any = yield
        self._fail(outcome.get_result())

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        """Fail the phase of the test in which a connection was refused, also where the test expects to fail."""
        outcome: Any = yield
        self._fail(outcome.get_result())

    def _fail(self, report: Any) -> None:
        if os.fstat(self._number).st_size == self._read:
            return
        found = self._refused()
        if report.outcome == "failed":
            if not all(text in str(report.longrepr) for text in found):
                report.sections.append((_SECTION, "\n".join(found)))
            return
        report.outcome, report.longrepr = "failed", "\n".join(f"db-guard: {text}" for text in found)
        vars(report).pop("wasxfail", None)

    def _refused(self) -> list[str]:
        """Return what has been refused since this was last asked, each message once."""
        with self._file.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self._read += len(whole)
        return list(dict.fromkeys(message(json.loads(line)) for line in whole.splitlines()))

    # --- at the end --------------------------------------------------------------------------------------------------

    def pytest_collection_finish(self) -> None:
        """Stop a run in which a driver cannot be watched."""
        self._guard.hooks.catch_up()
        if self._guard.failures:
            raise pytest.UsageError(_blind(self._guard.failures))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run in which a connection was refused when no test was left to fail."""
        self._late += self._refused()
        if self._guard.failures:
            self._late.append(_blind(self._guard.failures))
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["db_guard"] = self._late
        elif self._late and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of pytest-xdist says at its end."""
        self._late += (getattr(node, "workeroutput", None) or {}).get("db_guard", [])

    def pytest_report_header(self) -> str:
        """Say that the guard is on, and what it lets through."""
        return f"db-guard: on, allowed: {', '.join(self._guard.allow.entries) or 'databases in memory only'}"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show what no test's report shows."""
        if self._late:
            terminalreporter.section(f"{_SECTION}: {_LATE}", red=True)
            for text in dict.fromkeys(self._late):
                terminalreporter.line(text)


def allow_list(config: pytest.Config) -> AllowList:
    """The list of a run, read from the folder of its configuration; UsageError where an entry cannot be meant."""
    base = config.inipath.parent if config.inipath is not None else config.rootpath
    try:
        return AllowList(config.getini("db_guard_allow"), str(base))
    except MalformedEntry as error:
        raise pytest.UsageError(f"db_guard_allow: {error}") from None


def _blind(failures: Any) -> str:
    said = "; ".join(f"{library} ({reason})" for library, reason in failures.items())
    return f"--db-guard cannot watch {said}: what it opens would be let through"
