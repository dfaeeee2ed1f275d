"""Whether a fork of this process would be as fresh as a new interpreter; the objections, in words.

Third-party libraries may be imported, as the standard library is. They must not have been used yet.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping

from . import processes

# Objects that an application makes with a library, besides drivers' connections: there must be no instance of these
# classes or of subclasses.
_MADE_BY_APPLICATIONS = {
    "an engine": (("sqlalchemy.engine.base", "Engine"), ("sqlalchemy.ext.asyncio", "AsyncEngine")),
    "a connection": (
        ("sqlalchemy.engine.base", "Connection"), ("sqlalchemy.pool", "Pool"),
        ("httpx", "Client"), ("httpx", "AsyncClient"),
    ),
    "a session": (("sqlalchemy.orm", "Session"), ("sqlalchemy.ext.asyncio", "AsyncSession")),
    "an application": (("starlette.applications", "Starlette"),),
    "an event loop": (("asyncio", "AbstractEventLoop"),),
    "a temporary file": (
        ("tempfile", "_TemporaryFileWrapper"), ("tempfile", "TemporaryDirectory"),
        ("tempfile", "SpooledTemporaryFile"),
    ),
}  # fmt: skip
_INSTALLED = [
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    *(entry for entry in sys.path if os.path.basename(entry) in ("site-packages", "dist-packages")),
]
# The kit has a pytest plugin, so it counts as a library of a stack that it is installed in, wherever it is.
_KIT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_INSTALLED.append(_KIT)
_SPECIMEN = os.path.join(_KIT, "specimens", "project") + os.sep
_ROOTS = tuple({form(entry) + os.sep for entry in _INSTALLED for form in (os.path.abspath, os.path.realpath)})


class Expected:
    """The state of the parent before its imports: its open files, its variables, its temporary folder.

    `drivers` are the classes of connections and pools that the kit knows, as (module, name).
    """

    def __init__(self, temporary: str, drivers: tuple[tuple[str, str], ...]) -> None:
        self.drivers = drivers
        self.files = open_files()
        self.variables = dict(os.environ)
        self.temporary = temporary


def objections(expected: Expected) -> list[str]:
    """All objections to a fork; empty if a fork is as fresh as a new interpreter."""
    return [
        *quick_objections(), *_files(expected), *_modules(), *_objects(expected), *_variables(expected),
        *_temporary(expected),
    ]


def quick_objections() -> list[str]:
    """Objections that may have arisen since and are cheap to check: threads. (A fork closes open files.)"""
    return [*_no_fork(), *_threads()]


def versions() -> dict[str, tuple[int, int] | None]:
    """The files of all modules, with the time of the last change and the size of each; None for one that is gone."""
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return {file: _version(file) for file in files if isinstance(file, str)}


def outdated(then: Mapping[str, tuple[int, int] | None]) -> str | None:
    """The objection to a fork that has a module as it no longer is: one that was edited, or installed again since."""
    changed = next((file for file in sorted(then) if _version(file) != then[file]), None)
    return f"{changed} has changed since it was imported" if changed is not None else None


def _version(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def open_files() -> frozenset[int]:
    """The descriptors of open files."""
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return frozenset()
    # The folder itself was open while it was listed.
    return frozenset(number for number in map(int, names) if _is_open(number))


def other_generators() -> list[random.Random]:
    """Random number generators that a fork would share with its parent; Python reseeds its own."""
    own = getattr(random, "_inst", None)
    kinds = (random.SystemRandom,)
    return [
        found for found in gc.get_objects()
        if isinstance(found, random.Random) and found is not own and not isinstance(found, kinds)
    ]


def _no_fork() -> Iterator[str]:
    if not hasattr(os, "fork"):
        yield "the system has no fork"
    elif not sys.platform.startswith("linux"):
        yield f"on {sys.platform} a process cannot see the threads of its libraries, so a fork is not safe"


def _threads() -> Iterator[str]:
    count = processes.threads()
    if threading.active_count() > 1:
        names = sorted(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
        yield f"there are other threads: {', '.join(names)}"
    elif count is not None and count > 1:
        yield f"a library has {count - 1} threads of its own"


def _files(expected: Expected) -> Iterator[str]:
    for number in sorted(open_files() - expected.files):
        yield f"a file is open: {_target(number)}"


def _modules() -> Iterator[str]:
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and not _is_installed(file):
            yield f"the module {name} does not belong to a library: {file}"


def _is_installed(file: str) -> bool:
    if os.path.abspath(file).startswith(_SPECIMEN):
        return False
    return any(form(file).startswith(_ROOTS) for form in (os.path.abspath, os.path.realpath))


def _objects(expected: Expected) -> Iterator[str]:
    kinds = {type(found) for found in gc.get_objects()}
    for what, bases in (*_MADE_BY_APPLICATIONS.items(), ("a connection", expected.drivers)):
        known = tuple(_known(bases))
        for kind in sorted((kind for kind in kinds if issubclass(kind, known)), key=lambda kind: kind.__qualname__):
            yield f"there is {what}: {kind.__module__}.{kind.__qualname__}"


def _known(bases: tuple[tuple[str, str], ...]) -> Iterator[type]:
    for module, name in bases:
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type):
            yield kind


def _variables(expected: Expected) -> Iterator[str]:
    names = {*os.environ, *expected.variables}
    for name in sorted(name for name in names if os.environ.get(name) != expected.variables.get(name)):
        yield f"the variable {name} was changed"


def _temporary(expected: Expected) -> Iterator[str]:
    for name in sorted(os.listdir(expected.temporary)):
        yield f"there is a temporary file: {name}"


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _target(number: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return str(number)
