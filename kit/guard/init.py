"""`kit guard init`: configure the guard in a project, and prove that it works.

The lines go into the file that the project's own pytest reads. With that file in place, three things are proved: pytest
reads it and turns the guard on; it collects the same tests as before; and planted tests, in a folder of their own, are
stopped or pass as intended, while none is stopped without the guard. If the proof fails or is interrupted, the file is
restored byte for byte.
"""

from __future__ import annotations

import difflib
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kit import processes
from kit.errors import GuardError
from kit.guard.config import LIST, WORDS, changed, config_of, text_of
from kit.guard.proof import PytestRun, Suite, no_guard, suite_of
from kit.probes.allow import AllowList, MalformedEntry

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
    allow = AllowList(request.config.getini("db_guard_allow"), request.config.inipath.parent)
    assert set(json.loads({entries!r})) <= set(allow.entries)
'''
_STOPPED = ("test_refused", "test_swallowed", "test_in_a_process")
_ELSEWHERE = ("/var/tmp", "/dev/shm", os.path.expanduser("~"))
_LET_THROUGH = ("test_in_memory", "test_list")
_NAMED_AT_MOST = 5  # tests that are no longer collected


@dataclass(frozen=True, slots=True)
class Setup:
    """A project with a working guard. `diff` is empty when nothing had to be written."""

    config: Path
    diff: str
    stopped: tuple[str, ...]
    let_through: tuple[str, ...]
    collected: int = 0


def init(project: Path, allow: Sequence[str], python: str | None = None) -> Setup:
    """Turn the guard on in a project, for these databases and those already in its list, and prove that it works.

    `python` runs the project's tests; None selects the active virtual environment or the project's, else this
    interpreter. Raises GuardError when the configuration cannot be changed or does not work; the file is then restored.
    """
    project = project.resolve()
    if not project.is_dir():
        raise GuardError(f"{project} is not a folder", remedy="name the folder of the project")
    entries = tuple(dict.fromkeys(text for entry in allow for text in written(entry)))
    with suite_of(project, python or _interpreter(project)) as suite:
        return _turn_on(suite, entries)


def _turn_on(suite: Suite, entries: tuple[str, ...]) -> Setup:
    found = suite.read()
    if found.on is None or found.listed is None:
        raise no_guard(suite.python)
    listed = tuple(text for entry in found.listed for text in written(entry))
    if not entries and not listed:
        raise GuardError(
            "No database is named", wanted="those that the tests may reach", remedy="name them: --allow DB"
        )
    config, section = config_of(found.config, suite.project, found.version)
    before = text_of(config) if config.exists() else None
    after = changed(before or "", config, section, [entry for entry in entries if entry not in listed])
    if found.on and before is not None and set(entries) <= set(listed):
        after = before  # the guard is on already, wherever that is configured
    unchanged = suite.collected((*listed, *entries))
    with _written(config, before, after):
        _check(unchanged, suite.collected(), config, (*listed, *entries))
        stopped, let_through = _prove(suite, config, entries)
    shown = os.path.relpath(config, suite.project)
    return Setup(config, _diff(before or "", after, shown), stopped, let_through, len(unchanged.tests))


def written(entry: str) -> tuple[str, ...]:
    """An entry as it may appear in a shared file: of a server's URL only the address, without user and password."""
    try:
        return AllowList([entry], os.sep).entries
    except MalformedEntry as error:
        raise GuardError(error.found, wanted=error.wanted, remedy=error.remedy) from None


# --- the file ------------------------------------------------------------------------------------------------------


@contextmanager
def _written(path: Path, before: str | None, after: str) -> Iterator[None]:
    """Write the file; restore it if the block fails, is interrupted, or is ended by a signal."""
    if before == after:
        yield
        return
    with processes.signal_handlers(processes.unless_handled(processes.exit_by_signal)):
        try:
            _replace(path, after.encode())
            yield
        except BaseException:
            with _signals_blocked():
                if before is None:
                    path.unlink(missing_ok=True)
                elif path.read_bytes() != before.encode():
                    _replace(path, before.encode())
            raise


def _replace(path: Path, data: bytes) -> None:
    """Write a file atomically, by renaming a temporary file beside it."""
    target = path.resolve()  # a link stays a link
    if os.path.lexists(path) and not os.access(target, os.W_OK):
        raise GuardError(f"{path} cannot be written", remedy="make it writable")
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    except OSError as error:
        raise GuardError(
            f"no file can be written in {target.parent}: {error.strerror}", remedy="make it writable"
        ) from None
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
        if target.exists():
            there = target.stat()
            with suppress(PermissionError):  # keep the owner where that is permitted
                os.chown(name, there.st_uid, there.st_gid)
            os.chmod(name, there.st_mode & 0o7777)
        else:
            os.chmod(name, 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise  # a signal
        raise GuardError(f"{path} cannot be written: {error.strerror}", remedy="make it writable") from None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block signals during the block."""
    numbers = {signal.SIGINT, *processes.ENDING}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def _diff(before: str, after: str, name: str) -> str:
    """A unified diff that shows changes of line endings, too."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


# --- the proof -----------------------------------------------------------------------------------------------------


def _interpreter(project: Path) -> str:
    """The interpreter that runs the project's tests."""
    folders = [os.environ.get("VIRTUAL_ENV"), str(project / ".venv"), str(project / "venv")]
    for folder in folders:
        if folder and os.access(Path(folder) / "bin" / "python", os.X_OK):
            return str(Path(folder) / "bin" / "python")
    return sys.executable


def _check(before: PytestRun, after: PytestRun, config: Path, entries: Sequence[str]) -> None:
    """Raise GuardError unless pytest reads the written file and collects the same tests as before."""
    if after.config is None or not after.config.samefile(config):
        raise GuardError(f"pytest does not read {config} but {after.config}", remedy=_by_hand(entries))
    if not after.on or not set(entries) <= set(_texts(after.listed or ())):
        what = "does not turn the guard on" if not after.on else "does not contain the whole list"
        raise GuardError(f"What was written to {config} {what}", remedy=_by_hand(entries))
    refused = [text for node, text in after.errors if "db-guard" in text or "DatabaseRefused" in text]
    lost, more = _missing(before.tests, after.tests), _missing(after.tests, before.tests)
    if lost or more or _missing(_nodes(before), _nodes(after)) or _missing(_nodes(after), _nodes(before)):
        why = f" (refused: {refused[0].splitlines()[-1]})" if refused else ""
        named = ", ".join(map(str, (*lost, *more)[:_NAMED_AT_MOST])) or "errors that did not occur before"
        counts = f"{len(after.tests)} tests, {len(before.tests)} before"
        raise GuardError(
            f"With the guard's lines pytest collects {counts}: {named}{why}",
            wanted="the same tests", remedy=_by_hand(entries),
        )


def _texts(listed: Sequence[str]) -> list[str]:
    return [text for entry in listed for text in written(entry)]


def _nodes(found: PytestRun) -> tuple[str, ...]:
    return tuple(node for node, _ in found.errors)


def _missing(of: Sequence[str], there: Sequence[str]) -> tuple[str, ...]:
    return tuple((Counter(of) - Counter(there)).elements())


def _by_hand(entries: Sequence[str]) -> str:
    listed = json.dumps(list(entries))
    return f"put {' '.join(WORDS)} at the beginning of pytest's addopts and set {LIST} = {listed} where pytest reads it"


def _prove(suite: Suite, config: Path, entries: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    # The list may allow all temporary files, or all files of the project.
    folders = [str(suite.folder), str(suite.project), *_ELSEWHERE]
    text = _PLANTED.format(name=f"planted-{os.getpid()}.sqlite", folders=folders, entries=json.dumps(entries))
    guarded = suite.planted(text, config)
    free = suite.planted(text, config, "-o", "addopts=")
    wanted = {**dict.fromkeys(_STOPPED, "failed"), **dict.fromkeys(_LET_THROUGH, "passed")}
    if guarded != wanted:
        raise GuardError(
            f"The guard does not work: {_differences(guarded, wanted)}", remedy="check what the list allows"
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
