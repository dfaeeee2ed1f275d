"""Runs papermill's own test suite with its engine and with the kit's as the default, and compares the outcomes.

    python tools/papermill_suite.py get FOLDER      needs the network
    python tools/papermill_suite.py run FOLDER [--only EXPRESSION] [--json FILE]

`get` makes an environment of papermill and what its tests need; they come inside its wheel. `run` needs no network,
writes to FOLDER and to the folder for temporary files, and ends with 1 where an outcome differs that is not meant to.

These are another project's programs: run them where they can do no harm (a container, a user of its own).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from other_suites import Ran, copy_of_the_kit, different, ended_of, ran

PAPERMILL = "papermill[all]==2.7.0"
NEEDS = (
    "moto>=5.0,<5.2", "pytest", "pytest-mock", "pytest-env", "ipywidgets", "notebook", "attrs", "setuptools",
    "ipykernel", "nbclient==0.11.0", "psycopg[binary]", "msgspec", "psutil", "rich", "nbconvert",
)  # fmt: skip
ENGINES = ("papermill", "kit")
DEFAULT = """\
from papermill.engines import papermill_engines
from kit.notebooks.investigate.engine import KitEngine
for name in (None, "nbclient"):
    papermill_engines.register(name, KitEngine)
"""
_BANNER = "a red notebook has one more cell at its top, which says what stopped it and what never ran"
_EXIT = "sys.exit in a cell is not green: what comes after it never ran"
_CLIENT = "looks at calls of papermill's own client or writer, which the kit has another of"
MEANT = {
    "test_autosave.py::TestMidCellAutosave::test_end2end_autosave_slow_notebook": _CLIENT,
    "test_execute.py::TestBrokenNotebook1::test": _BANNER,
    "test_execute.py::TestBrokenNotebook2::test": _BANNER,
    "test_execute.py::TestNotebookHelpers::test_default_start_timeout": _CLIENT,
    "test_execute.py::TestNotebookHelpers::test_start_timeout": _CLIENT,
    "test_execute.py::TestOutputFormatting::test_output_formatting": _BANNER,
    "test_execute.py::TestSysExit::test_line_magic_error": _BANNER,
    "test_execute.py::TestSysExit::test_sys_exit": _EXIT,
    "test_execute.py::TestSysExit::test_sys_exit0": _EXIT,
    "test_execute.py::TestSysExit::test_sys_exit1": _BANNER,
    "test_execute.py::TestSysExit::test_system_exit": _EXIT,
}
"""The tests whose outcome differs because the kit does on purpose what papermill does not, and what that is."""


def main() -> int:
    """Parse the command line and run the phase."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phase", choices=("get", "run"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", metavar="EXPRESSION", help="the tests that pytest's -k selects")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write each outcome that differs to this file")
    given = parser.parse_args()
    folder = given.folder.resolve()
    return get(folder) if given.phase == "get" else run(folder, given.only, given.json)


def get(folder: Path) -> int:
    """Create the environment from wheels only, so that no code of packages runs during the installation."""
    folder.mkdir(parents=True, exist_ok=True)
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder / "venv")], check=True)
    install = [*uv, "pip", "install", "--quiet", "--only-binary", ":all:", "--python", str(folder / "venv")]
    return subprocess.run([*install, PAPERMILL, *NEEDS]).returncode


def run(folder: Path, only: str | None, into: Path | None) -> int:
    """Run the suite with each engine and print the differences."""
    with copy_of_the_kit(folder) as carried:
        (carried / "kit_by_default.py").write_text(DEFAULT)
        plain, kit = (run_once(folder, carried, engine, only) for engine in ENGINES)
    found = {test: (plain.outcomes.get(test), kit.outcomes.get(test)) for test in different([plain], [kit])}
    found = {test: outcomes for test, outcomes in found.items() if test in plain.outcomes or test in kit.outcomes}
    unmeant = [test for test in found if why_meant(test) is None]
    for name, one in zip(ENGINES, (plain, kit), strict=True):
        print(f"{name:10} {dict(Counter(outcome for outcomes in one.outcomes.values() for outcome in outcomes))}")
    for test, (before, now) in found.items():
        print(f"{test}: {before} became {now}: {why_meant(test) or 'NOT MEANT: ' + kit.reasons.get(test, '')[-500:]}")
    if into is not None:
        into.write_text(json.dumps(found, indent=2))
    print(f"{len(kit.outcomes)} tests; {len(found)} outcomes differ, {len(unmeant)} of them are not meant to")
    return 1 if unmeant or not plain.outcomes else 0


def why_meant(test: str) -> str | None:
    """The reason why a test's outcome differs on purpose; None if there is none."""
    return next((why for name, why in MEANT.items() if test.endswith(name)), None)


def run_once(folder: Path, carried: Path, engine: str, only: str | None) -> Ran:
    """Run the suite once with an engine as papermill's default."""
    work, outcomes = folder / "work", folder / f"{engine}.outcomes"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    outcomes.unlink(missing_ok=True)
    command = [
        str(folder / "venv/bin/python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(work),
        "-p", "suite_outcomes", f"--suite-outcomes={outcomes}", "--pyargs", "papermill.tests",
        *(["-p", "kit_by_default"] if engine == "kit" else []), *(["-k", only] if only else []),
    ]  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    with (folder / f"{engine}.log").open("wb") as output:
        ended = ended_of(command, work, {**kept, "PYTHONPATH": str(carried), "HOME": str(work)}, output)
    return ran(outcomes, ended, "")


if __name__ == "__main__":
    sys.exit(main())
