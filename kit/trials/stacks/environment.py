"""Install an environment from a lock file once, and find it again.

An environment is used only if it has the completion file, which is written last, so that an interrupted installation is
repeated. Concurrent processes install it once.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kit import processes
from kit.errors import StackError
from kit.pair.places import cache_path
from kit.probes.redact import redact

FITTING = ("3.11", "3.12")
"""The versions of Python for which everything in the locks has wheels."""

_COMPLETE = "complete.json"
_INSTALL_S = 900
# Variables that would lead an installer, or the interpreter that it starts, to another environment.
_MISLEADING = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX")
_SAY_VERSION = "import sys; print('.'.join(map(str, sys.version_info[:3])))"


@dataclass(frozen=True, slots=True)
class Environment:
    """A complete environment. `python_version` has three parts."""

    directory: Path
    python_version: str

    @property
    def interpreter(self) -> Path:
        """The path of its interpreter."""
        return self.directory / "bin" / "python"

    @property
    def packages(self) -> Path:
        """The site-packages folder of the lock's packages."""
        minor = ".".join(self.python_version.split(".")[:2])
        return self.directory / "lib" / f"python{minor}" / "site-packages"


def environment_of(lock: Path, cache: Path | None = None) -> Environment:
    """The environment of a lock file, installed if necessary.

    `cache` is the parent directory of environments; None stands for the user's cache. Raises StackError when it cannot
    be installed: no suitable Python, no access to the packages, no space.
    """
    places = {version: _place(lock, version, cache or _cache()) for version in _preferred()}
    for place in places.values():
        found = _complete(place)
        if found is not None:
            return found
    uv = usable_uv()
    python = find_python(lock.stem, uv)
    place = places[_minor(python.version)]
    try:
        with _alone(place):
            return _complete(place) or _made(place, lock, python, uv)
    except OSError as error:
        raise StackError(
            f"The stack {lock.stem} cannot be kept in {place.parent}: {error.strerror}",
            remedy="free some space there, or set XDG_CACHE_HOME to a directory that you can write to",
        ) from error


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter and its version, in three parts."""

    program: str
    version: str


def find_python(name: str, uv: str | None) -> Python:
    """An interpreter for the stack with this name: the running one if suitable, else one from PATH, else one of uv's.

    Raises StackError when there is none.
    """
    for program in _programs(uv):
        version = _output([program, "-c", _SAY_VERSION if uv else f"import ensurepip, venv; {_SAY_VERSION}"])
        if version is not None and _minor(version) in FITTING:
            return Python(program, version)
    raise StackError(
        f"Found no Python that the versions of the stack {name} have wheels for",
        wanted=f"Python {' or '.join(FITTING)}" + ("" if uv else ", with its venv module"),
        remedy=f"install one, so that python{FITTING[-1]} is on PATH, or run `uv python install {FITTING[-1]}`",
    )


def _programs(uv: str | None) -> Iterator[str]:
    yield sys.executable
    for name in (*(f"python{version}" for version in FITTING), "python3", "python"):
        found = shutil.which(name)
        if found is not None:
            yield found
    for version in FITTING if uv else ():
        found = _output([str(uv), "python", "find", "--no-project", version])
        if found is not None:
            yield found


def _preferred() -> list[str]:
    """The suitable versions, the running interpreter's first."""
    return sorted(FITTING, key=lambda version: version != f"{sys.version_info.major}.{sys.version_info.minor}")


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _cache() -> Path:
    return cache_path() / "stacks"


def _place(lock: Path, version: str, cache: Path) -> Path:
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    return cache / f"{lock.stem}-{digest}-py{version}"


def _complete(place: Path) -> Environment | None:
    """The environment in this directory; None if it is missing or incomplete, or its interpreter is gone."""
    try:
        said = json.loads((place / _COMPLETE).read_text())
    except OSError:
        return None
    found = Environment(place, said["python"])
    return found if os.access(found.interpreter, os.X_OK) else None


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Lock this environment against installation by other processes."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with place.with_name(f"{place.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _made(place: Path, lock: Path, python: Python, uv: str | None) -> Environment:
    shutil.rmtree(place, ignore_errors=True)
    try:
        if uv:
            _make_with_uv(uv, place, lock, python)
        else:
            _make_with_pip(place, lock, python)
        unfinished = place / f"{_COMPLETE}.new"
        unfinished.write_text(json.dumps({"python": python.version}))
        unfinished.replace(place / _COMPLETE)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return Environment(place, python.version)


def _make_with_uv(uv: str, place: Path, lock: Path, python: Python) -> None:
    environ = _environ()
    _run([uv, "venv", "--quiet", "--no-project", "--python", python.program, str(place)], lock.stem, environ)
    install = [
        uv, "pip", "install", "--quiet", "--python", str(place / "bin" / "python"), "--compile-bytecode", "--no-deps",
        "--only-binary", ":all:", "--require-hashes", "--requirement", str(lock),
    ]  # fmt: skip
    try:
        _run(install, lock.stem, environ)
    except StackError:
        # uv uses its own certificates, and some networks require the system's. The second variable is an older name.
        _run(install, lock.stem, {**environ, "UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"})


def _make_with_pip(place: Path, lock: Path, python: Python) -> None:
    _run([python.program, "-m", "venv", str(place)], lock.stem, _environ())
    install = [
        str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary", ":all:", "--require-hashes", "--requirement", str(lock),
    ]  # fmt: skip
    _run(install, lock.stem, _environ())


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _MISLEADING}


def _run(command: list[str], name: str, environ: Mapping[str, str]) -> None:
    try:
        ended = processes.run(
            command, timeout_s=_INSTALL_S, env=environ, stdin=subprocess.DEVNULL, encoding="utf-8", errors="replace"
        )
    except subprocess.TimeoutExpired as expired:
        raise _failure(name, f"{Path(command[0]).name} did not finish within {_INSTALL_S} s") from expired
    if ended.returncode != 0:
        said = [line.strip() for line in f"{ended.stdout}\n{ended.stderr}".splitlines() if line.strip()]
        raise _failure(name, " ".join(said[-4:]) or f"{Path(command[0]).name} ended with {ended.returncode}")


def _failure(name: str, said: str) -> StackError:
    return StackError(
        f"The environment of the stack {name} could not be created: {redact(said)}",
        remedy="check that this machine reaches the package index that pip or uv is configured for, and try again",
    )


def usable_uv() -> str | None:
    """A working uv, next to this interpreter or on PATH; None without one."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    return found if found and _output([found, "--version"]) else None


def _output(command: list[str]) -> str | None:
    """The output of a command; None when it cannot be run or fails."""
    with suppress(OSError, subprocess.TimeoutExpired):
        ended = subprocess.run(
            command, env=_environ(), stdin=subprocess.DEVNULL, timeout=60,
            capture_output=True, encoding="utf-8", errors="surrogateescape",
        )  # fmt: skip
        if ended.returncode == 0:
            return ended.stdout.strip() or None
    return None
