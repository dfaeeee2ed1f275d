"""A suite that runs once under pytest's option --db-guard: what the guard said of each test that it refused."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from kit import processes
from kit.analysis.options import ADDOPTS
from kit.diagnosing.suite import Suite
from kit.errors import TraceError
from kit.workfolder import workfolder

_FOLDER = "kit-guard-"
# A refusal is the error of the test that requested the connection; a test that caught it fails by the guard's own word.
_SAYS = re.compile(r"(?:\bDatabaseRefused|\bdb-guard): (.+)")


@dataclass(frozen=True, slots=True)
class Guarded:
    """The tests of a guarded run: what the guard said of each refused one, other failed ones, and those that passed."""

    refused: Mapping[str, str]
    failed: tuple[str, ...]
    passed: tuple[str, ...]


def guarded(suite: Suite, timeout_s: float = 300.0) -> Guarded:
    """Run a suite whose interpreter has the kit, with --db-guard and the suite's allow-list; no file of it is changed.

    Raises TraceError when pytest wrote no report.
    """
    with workfolder(_FOLDER) as folder:
        report = folder / "report.xml"
        listed = "\n".join(("db_guard_allow=", *suite.allow))
        # The report names each test's file in this format only.
        named = "--override-ini=junit_family=xunit1"
        options = shlex.join(["--db-guard", f"--override-ini={listed}", named, f"--junitxml={report}"])
        given = suite.environ.get(ADDOPTS, "")
        without_colour = {"PY_COLORS": "0"}  # a kernel forces it, also into the report
        environ = {**suite.environ, **without_colour, ADDOPTS: f"{given} {options}".lstrip()}
        ran = processes.run(suite.command, timeout_s=timeout_s, cwd=suite.folder, env=environ)
        if not report.is_file():
            raise TraceError(
                f"The guarded run wrote no report: {ran.stdout[-500:]}{ran.stderr[-500:]}",
                wanted="a command that runs pytest in an environment with the kit", remedy="run kit guard init there",
            )
        return _read(report)


def _read(report: Path) -> Guarded:
    refused: dict[str, str] = {}
    failed, passed = [], []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        test = _id(case)
        said = [*_said(case)]
        sentence = next(filter(None, map(_SAYS.search, said)), None)
        if sentence is not None:
            refused[test] = sentence[1]
        elif said:
            failed.append(test)
        elif case.find("skipped") is None:
            passed.append(test)
    return Guarded(refused, tuple(failed), tuple(passed))


def _id(case: ElementTree.Element) -> str:
    """The test as pytest names it: its file, its classes, its name. `classname` has the first two, with dots."""
    file, dotted = case.get("file", ""), case.get("classname", "")
    classes = dotted.removeprefix(file.removesuffix(".py").replace("/", ".")).split(".")
    return "::".join((file, *filter(None, classes), case.get("name", "")))


def _said(case: ElementTree.Element) -> Iterator[str]:
    """What pytest says of a test that did not pass: in full, and in the message, which it may have shortened."""
    for found in (*case.iter("failure"), *case.iter("error")):
        yield f"{found.text or ''}\n{found.get('message') or ''}"
