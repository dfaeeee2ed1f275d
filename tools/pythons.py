"""Run what depends on the interpreter under each other Python of this machine, in environments below build/pythons.

Where the kit itself can run, that is the tests of the probes, of traces, of the guard and of warm parents, and one
notebook. Of older Pythons only what is traced runs there, and the tests of the probes in the kit's own environment.
What was run is named at the end, and what is not here, too. 1 is the exit code where anything failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / "build" / "pythons"
UV = Path(sys.executable).with_name("uv")
ONLY_PROBED = ("3.9", "3.10")
# Libraries of suites there: the newest that these Pythons support.
LIBRARIES = (
    "aiosqlite", "asyncpg", "databases", "fastapi", "httpx", "psycopg-pool", "psycopg2-binary", "psycopg[binary]",
    "pydantic-settings", "pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist", "python-dotenv",
    "sqlalchemy[asyncio]", "sqlmodel", "tortoise-orm",
)  # fmt: skip
PROBES = ("tests/probes",)
FORKS_AND_PAIR = ("tests/trials/test_fork_server.py", "tests/live/test_pair_running.py")
INTERPRETER = (*PROBES, "tests/tracing", "tests/guard/test_run.py", *FORKS_AND_PAIR)
# Those of them that have differed between Pythons, or depend on internals most.
SHORT_PROBES = tuple(
    f"tests/probes/{name}.py" for name in (
        "state/test_snapshot", "test_attached", "test_children", "test_frames", "test_install", "test_own",
        "test_unchanged",
    )
)  # fmt: skip
SHORT = (*SHORT_PROBES, *FORKS_AND_PAIR)
# Tests that do not hold before Python 3.11.
NOT_IN_OLDER = (
    "tests/probes/interventions/test_applied.py",  # tomllib
    "tests/probes/test_settings_files.py",  # tomllib
    "tests/probes/test_app_use.py::test_tracebacks_are_the_programs_own",  # they show frames of the probes
    "tests/probes/test_unchanged.py::test_output_and_outcomes_are_the_same",  # likewise
    "tests/probes/test_unchanged.py::test_tracebacks_are_the_same_as_python_shows_them",  # likewise
    "tests/probes/test_children.py::test_popen_looks_as_it_did",  # subprocess gives no such warning
    # A file that an engine's listener attaches by a bound name is not seen.
    "tests/probes/test_attached.py::test_an_attached_file_is_a_database_that_was_opened",
    "tests/probes/test_attached.py::test_what_is_said_to_it_is_told",
    # With 3.9, a sqlite3 imported past the hook, and its failed connection, are not seen.
    "tests/probes/test_own.py::test_a_deleted_folder_is_no_error",
    "tests/probes/test_unchanged.py::test_import_hooks_of_its_own_still_work",
)
NOTEBOOK = "notebooks/01_the_failure.ipynb"
ASK = "import sys; print(getattr(sys, '_base_executable', None) or sys.executable)"


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter of this machine; `version` has three parts, and a `t` for a free-threaded build."""

    version: str
    program: Path

    @property
    def minor(self) -> str:
        """The version without its last part."""
        return ".".join(self.version.split(".")[:2])

    @property
    def name(self) -> str:
        """The name of its environment; two builds of one version differ in their folder."""
        return f"{self.version}-{re.sub(r'[^a-z0-9]+', '-', str(self.program.parent).lower()).strip('-')}"


def supported() -> list[str]:
    """The versions that pyproject.toml names."""
    return re.findall(r'Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text("utf-8"))


def find() -> list[Python]:
    """Every CPython on PATH and those of pyenv and uv, without duplicate builds."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path("~/.pyenv").expanduser())
    folders = [*map(str, sorted(pyenv.glob("versions/*/bin"))), *os.get_exec_path(), "/usr/bin", "/usr/local/bin"]
    command = [UV, "python", "list", "--only-installed", "--no-config", "--output-format", "json"]
    environ = {**os.environ, "PATH": os.pathsep.join(folders)}
    listed = subprocess.run(command, env=environ, cwd="/", capture_output=True, check=True).stdout
    found: dict[Path, Python] = {}
    for entry in json.loads(listed):
        asked = subprocess.run([entry["path"], "-I", "-c", ASK], capture_output=True, encoding="utf-8")
        if entry["implementation"] == "cpython" and asked.returncode == 0:
            program = Path(asked.stdout.strip()).resolve()
            free = "t" if entry["variant"] == "freethreaded" else ""
            found.setdefault(program, Python(entry["version"] + free, program))
    return sorted(found.values(), key=lambda python: [int(part) for part in re.findall(r"\d+", python.version)])


def run(what: str, command: Sequence[str | Path], **variables: str) -> list[str]:
    """Run a command in the project's folder; return [`what`] if it fails."""
    print(f"-- {what}: {' '.join(map(str, command))}", flush=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "MAKE"))}
    return [what] if subprocess.run(command, cwd=ROOT, env={**kept, **variables}).returncode else []


def with_the_kit(python: Python, tests: Iterable[str]) -> list[str]:
    """Install the kit for one interpreter, run tests and a notebook; return what failed."""
    folder = ENVIRONMENTS / python.name
    own = folder / "bin" / "python"
    set_up = ["sh", "tools/environment.sh", folder, "requirements.lock"]
    return run("set-up", set_up, UV=str(UV), PYTHON=str(python.program)) or [
        *run("tests", [own, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", *tests]),
        *run("notebook", [own, "-m", "kit", "investigate", NOTEBOOK, "--out", ENVIRONMENTS / "runs"]),
    ]


def only_probed(python: Python, tests: Iterable[str]) -> list[str]:
    """Run the probes' tests with programs in this interpreter; return what failed."""
    folder = ENVIRONMENTS / python.name
    probed = folder / "bin" / "python"
    uv = [UV, "--quiet", "--no-config"]
    install = [*uv, "pip", "install", "--python", probed, *LIBRARIES]
    left_out = [f"--deselect={test}" for test in NOT_IN_OLDER]
    return (
        run("set-up", [*uv, "venv", "--clear", "--no-project", "--python", python.program, folder])
        or (run("set-up", install) and run("set-up again", install, UV_SYSTEM_CERTS="1", UV_NATIVE_TLS="1"))
        or run(
            "tests", [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", *tests, *left_out],
            KIT_PROBED_PYTHON=str(probed),
        )
    )  # fmt: skip


def summary(here: Iterable[tuple[Python, list[str]]], wanted: Iterable[str]) -> Iterator[str]:
    """Report the result for each interpreter, and the versions that are missing."""
    minors = set()
    for python, failed in here:
        minors.add(python.minor)
        only = "" if python.minor in supported() else ", probed only"
        outcome = f"{', '.join(failed)} failed" if failed else "passed"
        yield f"Python {python.version} ({python.program}{only}): {outcome}"
    missing = [minor for minor in wanted if minor not in minors]
    if missing:
        yield f"Not found on this machine: Python {', '.join(missing)}"


def main() -> int:
    """Run the tests under each interpreter."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="only the tests that look deepest into the interpreter")
    parser.add_argument("--only", metavar="VERSION", action="append", help="of these versions (3.13); default: all")
    options = parser.parse_args()
    wanted = [minor for minor in (*ONLY_PROBED, *supported()) if minor in (options.only or [minor])]
    itself = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    ended: list[tuple[Python, list[str]]] = []
    for python in find():
        if python.minor not in wanted or python.program == itself:
            continue
        print(f"== Python {python.version} ({python.program})", flush=True)
        if python.minor in supported():
            ended.append((python, with_the_kit(python, SHORT if options.short else INTERPRETER)))
        else:
            ended.append((python, only_probed(python, SHORT_PROBES if options.short else PROBES)))
    print(f"The environment of make has Python {sys.version.split()[0]} ({itself}), and is tested by make test.")
    own = ".".join(map(str, sys.version_info[:2]))
    print("\n".join(summary(ended, [minor for minor in wanted if minor != own])), flush=True)
    return int(any(failed for _, failed in ended))


if __name__ == "__main__":
    sys.exit(main())
