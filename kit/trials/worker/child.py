"""Turn a fork of a warm parent into a fresh interpreter, as if started by `python -m MODULE ...`.

Those steps of Python's start are repeated that depend on the command, the folder or the environment. Settings that
cannot be changed after the start are compared instead: a command that needs other ones is not forked. Two differences
remain: the children of one parent share the seed of string hashes, and each leads its own session, even if a script
would not have replaced itself by it.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TextIO

from . import PROBES, READ_AT_START, SET_AFTER_START, processes


@dataclass(frozen=True)
class Command:
    """A Python command line with its folder and environment.

    `files` are descriptors of open files; in the command they get the `numbers`: its standard streams, and any others.
    """

    arguments: Sequence[str]
    folder: str
    environ: Mapping[str, str]
    files: Sequence[int]
    numbers: Sequence[int] = (0, 1, 2)


@dataclass(frozen=True)
class Base:
    """What a parent has from its own start: its module search path, and its libraries' random number generators."""

    path: Sequence[str]
    generators: Sequence[Any]


def unfit(command: Command) -> str | None:
    """Why a fork cannot replace a new interpreter for this command; None if it can."""
    if len(command.arguments) < 3 or command.arguments[1] != "-m":
        return "only a module can be run in a fork (python -m ...)"
    told = {name for name in (*os.environ, *command.environ) if name.startswith(READ_AT_START)}
    for name in sorted(told - set(SET_AFTER_START)):
        if os.environ.get(name) != command.environ.get(name):
            return f"the interpreter reads {name} at its start"
    return None


def take_place(command: Command) -> None:
    """Give this process what a started command has: its own session, its files, folder and signal handlers."""
    processes.die_with_parent()
    processes.be_first_to_go()
    os.setsid()
    keep_only(dict(zip(command.numbers, command.files, strict=True)))
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(command.folder)


def keep_only(files: Mapping[int, int]) -> None:
    """Give each file its number, by number, and close every other descriptor."""
    above = max(*files, *files.values()) + 1  # where a copy is in the way of none of them
    copies = {number: fcntl.fcntl(file, fcntl.F_DUPFD, above) for number, file in files.items()}
    for number, copy in copies.items():
        os.dup2(copy, number)
    highest = os.sysconf("SC_OPEN_MAX")
    begin = 0
    for number in (*sorted(files), highest if highest > 0 else 65536):
        if begin < number:  # an empty range that begins at 0 closes everything (CPython passes its last number as -1)
            os.closerange(begin, number)
        begin = number + 1


def execute(command: Command) -> None:
    """Replace this process by the command. Does not return."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, and its children would inherit that
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(command.arguments[0], list(command.arguments), command.environ)
    except OSError as error:
        os.write(2, f"{command.arguments[0]}: {error.strerror}\n".encode())
    os._exit(127)


def run_fresh(command: Command, base: Base) -> None:
    """Run the command's module as a fresh interpreter would, and exit the same way. Does not return."""
    _forget(command, base)
    _start(command, base)
    _end(_run_module(command.arguments[2]))


def _forget(command: Command, base: Base) -> None:
    """Replace the parent's state by that of the command."""
    processes.clear_environment()
    os.environ._data.clear()  # type: ignore[attr-defined]
    os.environ.update(command.environ)
    time.tzset()
    for generator in base.generators:
        generator.seed()
    if "tempfile" in sys.modules:
        sys.modules["tempfile"].tempdir = None  # type: ignore[attr-defined]
    sys.stdin, sys.stdout, sys.stderr = _stream(0), _stream(1), _stream(2)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc, assignment]
    _unload(__name__.rpartition(".")[0])
    sys.modules["__main__"] = _new_main(sys.modules["__main__"])


def _start(command: Command, base: Base) -> None:
    """Repeat Python's start: first the paths, then `sitecustomize`, then the folder for `-m`."""
    import site

    sys.argv = ["-m", *command.arguments[3:]]
    sys.orig_argv = list(command.arguments)
    added = command.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = [os.path.abspath(entry) for entry in added if entry] + list(base.path)
    sys.path[:] = list(dict.fromkeys(path))
    for entry in [entry for entry in sys.path_importer_cache if not entry.startswith(tuple(base.path))]:
        del sys.path_importer_cache[entry]
    sys.modules.pop("sitecustomize", None)
    site.execsitecustomize()
    if "loaded_ahead" in getattr(sys.modules.get(PROBES), "__dict__", ()):  # the command did not request the probes
        _unload(PROBES)
    sys.path.insert(0, os.getcwd())


def _new_main(old: ModuleType) -> ModuleType:
    """A `__main__` module with the contents that Python gives it at its start."""
    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = sys.modules["builtins"]
    if "__annotations__" in vars(old):
        main.__annotations__ = {}
    return main


def _unload(package: str) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
        del sys.modules[name]


def _stream(number: int) -> TextIO:
    reading, errors = number == 0, number == 2
    name = ("<stdin>", "<stdout>", "<stderr>")[number]
    old = (sys.__stdin__, sys.__stdout__, sys.__stderr__)[number]
    assert old is not None  # the parent is started with all three
    stream = open(  # noqa: SIM115
        number, "r" if reading else "w", encoding=old.encoding, errors=old.errors, newline=None if reading else "\n",
        closefd=False,
    )
    stream.reconfigure(line_buffering=errors or stream.isatty())
    stream.buffer.raw.name = name  # type: ignore[attr-defined]
    stream.mode = "r" if reading else "w"  # type: ignore[misc]
    return stream


def _run_module(name: str) -> int:
    """Run a module as the program; return the exit code that Python would exit with."""
    import runpy

    try:
        runpy._run_module_as_main(name)  # type: ignore[attr-defined]
    except SystemExit as ended:
        return _code(ended)
    except KeyboardInterrupt:
        traceback.print_exc()
        return -signal.SIGINT
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _code(ended: SystemExit) -> int:
    if ended.code is None:
        return 0
    if isinstance(ended.code, int):
        return ended.code & 0xFF
    print(ended.code, file=sys.stderr)
    return 1


def _end(code: int) -> None:
    """Exit as Python does, but without the teardown of modules, which takes as long as a small trial."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    if code < 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
