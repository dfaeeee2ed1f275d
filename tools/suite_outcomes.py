"""Writes down the outcome of each test: a plugin of pytest, and a runner of unittest, for tools/other_suites.py.

    pytest -p suite_outcomes --suite-outcomes FILE ...
    python suite_outcomes.py FILE MODULE ...

It runs in other people's environments, so it needs the standard library only and Python 3.9. A line of JSON a test,
written as the test ends: what a run that hangs or crashes had shown by then is there.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unittest
from collections.abc import Iterator
from typing import Any

REASON_AT_MOST = 4000  # characters, from the end
_write_text, _open = os.write, os.open  # a test may have replaced them when its outcome is written


class Outcomes:
    """The file of one run."""

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)

    def add(self, test: str, outcome: str, reason: str = "") -> None:
        """Write one outcome of a test, which may have several: of its phases, of its subtests."""
        line = {"test": _steady(test), "outcome": _steady(outcome), "reason": reason[-REASON_AT_MOST:]}
        file = _open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            _write_text(file, (json.dumps(line) + "\n").encode())
        finally:
            os.close(file)


def _steady(test: str) -> str:
    """Name a test by what is the same in each run: no address of an object."""
    return re.sub(r"\b0x[0-9a-f]{6,}\b", "0x", test)


# --- pytest ----------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: Any) -> None:
    """Add --suite-outcomes."""
    parser.addoption("--suite-outcomes", metavar="FILE", help="write the outcome of each test to this file")


def pytest_configure(config: Any) -> None:
    """Listen to the reports, where a file is named."""
    if config.option.suite_outcomes:
        config.pluginmanager.register(_Reports(Outcomes(config.option.suite_outcomes)))


class _Reports:
    """Hears of every report of a test, and of what could not be collected."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes

    def pytest_collectreport(self, report: Any) -> None:
        """Write down what could not be collected; a passed collection is no test's outcome."""
        if report.outcome != "passed":
            self._outcomes.add(f"collection of {report.nodeid}", report.outcome, str(report.longrepr))

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Write down a test's call, and of set-up and tear-down what is no success."""
        if report.when == "call" or report.outcome != "passed":
            kind = "x" if hasattr(report, "wasxfail") else ""
            phase = "" if report.when == "call" else f" at {report.when}"
            reason = str(report.longrepr) if report.outcome == "failed" else ""
            self._outcomes.add(report.nodeid, f"{kind}{report.outcome}{phase}", reason)


# --- unittest --------------------------------------------------------------------------------------------------------


class _Result(unittest.TestResult):
    """Writes a test's outcomes down as it ends: one, and one for each of its subtests that failed."""

    def __init__(self, outcomes: Outcomes) -> None:
        super().__init__()
        self._outcomes = outcomes
        self._found: list[tuple[str, str]] = []

    def stopTest(self, test: Any) -> None:
        for outcome, reason in self._found or [("no outcome", "")]:
            self._outcomes.add(test.id(), outcome, reason)
        self._found = []
        super().stopTest(test)

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self._found.append(("passed", ""))

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self._end(test, "skipped", "")

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self._found.append(("xfailed", ""))

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._found.append(("xpassed", ""))

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._end(test, "failed", self.failures[-1][1])

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._end(test, "error", self.errors[-1][1])

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            reason = self._exc_info_to_string(err, test)  # type: ignore[attr-defined]
            self._found.append((f"failed {subtest._subDescription()}", reason))

    def _end(self, test: Any, outcome: str, reason: str) -> None:
        if isinstance(test, unittest.TestCase):
            self._found.append((outcome, reason))
        else:  # a class or a module could not be set up: no test is under way
            self._outcomes.add(test.id(), outcome, reason)


def run_unittest(path: str, modules: list[str]) -> int:
    """Run modules as unittest does, without the resources that CPython's own tests do without by default."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != os.path.dirname(__file__)]
    if any(name.startswith("test.") for name in modules):
        from test import support

        support.use_resources = []  # type: ignore[attr-defined]  # as `python -m test` leaves them: no network, no hours
    unittest.TestLoader().loadTestsFromNames(modules)(result := _Result(Outcomes(path)))
    return 0 if result.wasSuccessful() else 1


# --- reading ---------------------------------------------------------------------------------------------------------


def read(path: str) -> Iterator[dict[str, str]]:
    """Give the lines of such a file; none where no test ended."""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            yield from map(json.loads, file)


if __name__ == "__main__":
    sys.exit(run_unittest(sys.argv[1], sys.argv[2:]))
