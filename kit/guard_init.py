"""`kit guard init`: the few lines of configuration that turn the guard on in a project, and the proof that they bite.

The lines go into the file that pytest reads. The proof is a run of the project's own pytest with that file, over tests
planted in a folder of their own: what must be stopped is, what must pass does, and with the guard taken off nothing
is stopped. Where the proof fails, the file is put back.
"""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.errors import GuardError
from kit.guard_config import LIST, OPTION, changed, find_config
from kit.probes.allow import AllowList, MalformedEntry
from kit.probes.redact import redact

TIMEOUT_S = 120
_PLANTED = '''
import json
import os
import sqlite3
import subprocess
import sys

import pytest

from kit.probes.allow import AllowList

CONNECT = "import sqlite3; sqlite3.connect(%r).close()"


@pytest.fixture
def other(request):
    """A file that the list does not name."""
    base = request.config.inipath.parent
    allow = AllowList(request.config.getini("db_guard_allow"), base)
    files = [os.path.join(folder, {name!r}) for folder in {folders!r}]
    file = next((file for file in files if not allow.allows_file(file)), files[0])
    yield file
    if os.path.exists(file):
        os.unlink(file)


def test_refused(other):
    sqlite3.connect(other).close()


def test_swallowed(other):
    try:
        sqlite3.connect(other).close()
    except Exception:
        return


def test_in_a_process(other):
    subprocess.run([sys.executable, "-c", CONNECT % other], env={{}})


def test_in_memory():
    sqlite3.connect(":memory:").close()


def test_list(request):
    assert set(json.loads({entries!r})) <= set(request.config.getini("db_guard_allow"))
'''
_STOPPED = ("test_refused", "test_swallowed", "test_in_a_process")
_ELSEWHERE = ("/var/tmp", "/dev/shm", os.path.expanduser("~"))
_OTHER_PYTHON = "name the interpreter of the project's tests: --python"
_LET_THROUGH = ("test_in_memory", "test_list")


@dataclass(frozen=True, slots=True)
class Setup:
    """A project whose guard is on and bites. `diff` is empty where nothing had to be written."""

    config: Path
    diff: str
    stopped: tuple[str, ...]
    let_through: tuple[str, ...]


def init(project: Path, allow: Sequence[str], python: str | None = None) -> Setup:
    """Turn the guard on in a project, for these databases and those already on its list, and prove that it bites.

    `python` runs the project's tests; None takes the virtual environment that is active or lies in the project, else
    this interpreter. Raises GuardError where the configuration cannot be changed or does not bite; it then is as
    it was.
    """
    project = project.resolve()
    config, section = find_config(project)
    before = config.read_text() if config.is_file() else None
    entries = tuple(dict.fromkeys(text for entry in allow for text in written(entry)))
    if not entries and LIST not in (before or ""):
        raise GuardError(
            "No database is named", wanted="those that the tests may reach", remedy="name them: --allow DB"
        )
    after = changed(before or "", config, section, entries)
    with _written(config, before, after):
        stopped, let_through = _prove(project, config, entries, python or _interpreter(project))
    return Setup(config, _diff(before or "", after, config.relative_to(project)), stopped, let_through)


def written(entry: str) -> tuple[str, ...]:
    """An entry as it may stand in a file that others read: of a server's URL the place only, no user, no password."""
    try:
        return AllowList([entry], os.sep).entries
    except MalformedEntry as error:
        raise GuardError(error.found, wanted=error.wanted, remedy=error.remedy) from None


@contextmanager
def _written(path: Path, before: str | None, after: str) -> Iterator[None]:
    """Have the file written; put it back where what follows fails."""
    if before == after:
        yield
        return
    path.write_text(after)
    try:
        yield
    except BaseException:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)
        raise


def _diff(before: str, after: str, name: Path) -> str:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, f"a/{name}", f"b/{name}"))


# --- the proof -----------------------------------------------------------------------------------------------------


def _interpreter(project: Path) -> str:
    """The interpreter that runs the project's tests."""
    folders = [os.environ.get("VIRTUAL_ENV"), str(project / ".venv"), str(project / "venv")]
    for folder in folders:
        if folder and os.access(Path(folder) / "bin" / "python", os.X_OK):
            return str(Path(folder) / "bin" / "python")
    return sys.executable


def _prove(
    project: Path, config: Path, entries: tuple[str, ...], python: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    with tempfile.TemporaryDirectory(prefix="db-guard-") as name:
        folder = Path(name).resolve()
        guarded = _run_planted(project, config, entries, python, folder, "guarded", ())
        free = _run_planted(project, config, entries, python, folder, "free", ("-o", "addopts="))
    wanted = {**dict.fromkeys(_STOPPED, "failed"), **dict.fromkeys(_LET_THROUGH, "passed")}
    if guarded != wanted:
        raise GuardError(
            f"The guard does not bite: {_differences(guarded, wanted)}", remedy="see what the list lets through"
        )
    if free != dict.fromkeys(wanted, "passed"):
        raise GuardError(f"Without the guard the planted tests do not all pass: {free}")
    return _STOPPED, _LET_THROUGH


def _differences(found: dict[str, str], wanted: dict[str, str]) -> str:
    return ", ".join(
        f"{name} {found.get(name, 'did not run')} and should have {outcome}"
        for name, outcome in wanted.items()
        if found.get(name) != outcome
    )


def _run_planted(
    project: Path, config: Path, entries: tuple[str, ...], python: str, folder: Path, name: str, options: Sequence[str]
) -> dict[str, str]:
    """Run the planted tests with the project's configuration; return how each ended."""
    inside = folder / name
    inside.mkdir()
    # The list may well name all temporary files, or all of the project.
    folders = [str(inside), str(project), *_ELSEWHERE]
    planted = _PLANTED.format(name=f"planted-{os.getpid()}.sqlite", folders=folders, entries=json.dumps(entries))
    (inside / "test_planted.py").write_text(planted)
    result = inside / "result.xml"
    command = [
        python, "-m", "pytest", "-c", str(config), "--rootdir", str(project), "-o", f"cache_dir={inside}", *options,
        f"--junitxml={result}", str(inside / "test_planted.py"),
    ]  # fmt: skip
    # Reports that the project's own options ask for are written to the folder that goes away.
    path = os.pathsep.join(filter(None, [str(project), os.environ.get("PYTHONPATH")]))
    environ = {**os.environ, "PYTHONPATH": path, "COVERAGE_FILE": str(inside / "coverage")}
    try:
        ended = subprocess.run(
            command, cwd=inside, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GuardError(f"{python} could not run the proof: {error}", remedy=_OTHER_PYTHON) from None
    if not result.is_file():
        raise _no_result(python, ended.stdout + ended.stderr)
    return _outcomes(result)


def _no_result(python: str, output: str) -> GuardError:
    if f"unrecognized arguments: {OPTION}" in output or "No module named pytest" in output:
        return GuardError(
            f"{python} has no pytest with the guard in it",
            remedy=f"pip install fastapi-database-isolation-kit there, or {_OTHER_PYTHON}",
        )
    said = [line.strip() for line in output.splitlines() if line.strip()]
    return GuardError(f"The proof could not be run: {redact(' '.join(said[-3:]))}")


def _outcomes(result: Path) -> dict[str, str]:
    cases = xml.etree.ElementTree.parse(result).iter("testcase")
    return {
        case.get("name", ""): "failed" if any(part.tag in ("failure", "error") for part in case) else "passed"
        for case in cases
    }
