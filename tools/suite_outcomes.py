"""Record the outcome of each test: a plugin of pytest, and a runner of unittest, for tools/other_suites.py.

    pytest -p suite_outcomes --suite-outcomes FILE ...
    python suite_outcomes.py FILE MODULE ...

It runs in foreign environments, so it needs only the standard library and Python 3.9. It writes one JSON line per test,
when the test ends, so that the outcomes of a run that hangs or crashes are kept up to then.
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
_write_text, _open = os.write, os.open  # kept here because a test may replace them


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
    """A test's name without parts that differ between runs, such as addresses of objects."""
    return re.sub(r"\b0x[0-9a-f]{6,}\b", "0x", test)


# --- pytest ----------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: Any) -> None:
    """Add --suite-outcomes."""
    parser.addoption("--suite-outcomes", metavar="FILE", help="write the outcome of each test to this file")


def pytest_configure(config: Any) -> None:
    """Register the plugin if a file is named."""
    if config.option.suite_outcomes:
        config.pluginmanager.register(_Reports(Outcomes(config.option.suite_outcomes)))


class _Reports:
    """Records the reports of tests and of failed collections."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes

    def pytest_collectreport(self, report: Any) -> None:
        """Record what could not be collected; a successful collection is not an outcome."""
        if report.outcome != "passed":
            self._outcomes.add(f"collection of {report.nodeid}", report.outcome, str(report.longrepr))

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Record a test's call, and unsuccessful set-up and teardown."""
        if report.when == "call" or report.outcome != "passed":
            kind = "x" if hasattr(report, "wasxfail") else ""
            phase = "" if report.when == "call" else f" at {report.when}"
            reason = str(report.longrepr) if report.outcome == "failed" else ""
            self._outcomes.add(report.nodeid, f"{kind}{report.outcome}{phase}", reason)


# --- unittest --------------------------------------------------------------------------------------------------------


class _Result(unittest.TestResult):
    """Records a test's outcomes when it ends: one, and one for each failed subtest."""

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
        else:  # a class or module could not be set up: no test is running
            self._outcomes.add(test.id(), outcome, reason)


def run_unittest(path: str, modules: list[str]) -> int:
    """Run modules as unittest does, without the resources that CPython's own tests also omit by default."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != os.path.dirname(__file__)]
    if any(name.startswith("test.") for name in modules):
        from test import support

        support.use_resources = []  # type: ignore[attr-defined]  # as `python -m test` leaves them: no network, no hours
    unittest.TestLoader().loadTestsFromNames(modules)(result := _Result(Outcomes(path)))
    return 0 if result.wasSuccessful() else 1


# --- reading ---------------------------------------------------------------------------------------------------------


def read(path: str) -> Iterator[dict[str, str]]:
    """Yield the lines of such a file; none if it does not exist."""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            yield from map(json.loads, file)


if __name__ == "__main__":
    sys.exit(run_unittest(sys.argv[1], sys.argv[2:]))
