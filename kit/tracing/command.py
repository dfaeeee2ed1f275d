"""Run a command as it would run without the kit, but with the probes, and read what they recorded.

The command keeps the terminal, its input and output, its signals and its exit code. The probes write to a temporary
folder of the kit, which is removed when it has been read.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import IO, Any

from kit import processes
from kit.errors import NotStarted, TraceError
from kit.evidence import collect
from kit.evidence.model import Evidence
from kit.evidence.probe_files import as_text
from kit.probes.redact import learn, learn_all, redact, redact_command, secrets_of_command
from kit.probes.settings_files import variables_in
from kit.processes import Handler, Watcher, exit_by_signal, marked_pythons, runs, signal_handlers
from kit.tracing.guarded import Stopping, guard_of
from kit.workfolder import workfolder

INJECT = Path(__file__).parents[1] / "probes" / "inject"
_FORWARDED = (*processes.ENDING, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGCONT)
_OUTPUT_KEPT = 20_000  # characters, from the end of the output
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # exit codes of a shell
_PREFIX = "kit-trace-"
FOLDER_VARIABLE = "ISOLATION_PROBES_DIR"
_LOOKS_S = 0.01
_LAST_WORDS_S = 1.0  # time for helpers to exit by themselves after the command


@dataclass(frozen=True, slots=True)
class Traced:
    """A command that was run with the probes from `began_s` on, in seconds since 1970.

    `returncode` is the exit code that a shell would give.
    """

    evidence: Evidence
    returncode: int
    began_s: float = 0.0


def trace(
    command: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    extra: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    quiet: bool = False,
    stopping: Stopping | None = None,
) -> Traced:
    """Run `command` in `folder` with the probes, and return what they saw.

    `extra` are additional variables for the command. With `stopping`, connections off its allow-list are refused. With
    `quiet` its output is kept in the evidence, its input is empty, and after `timeout_s` it is ended with all its
    descendants; otherwise it keeps the terminal and the signals. Raises TraceError when the command cannot be started.
    """
    folder = folder.resolve() if folder is not None else here()
    environ = environ if environ is not None else os.environ
    learn_secrets(command, environ, folder)
    with workspace(_PREFIX) as own:
        seen = _folder_of_the_record(own)
        epoch = time.time()
        stops = stopping.variables(own / "servers") if stopping is not None else {}
        variables = injected(environ, seen, epoch) | stops | dict(extra or {})
        began = time.perf_counter()
        mark = f"{FOLDER_VARIABLE}={seen}"
        if quiet:
            code, output = _run_quietly(command, variables, folder, own, timeout_s, mark)
        else:
            code, output = _run_in_place(command, variables, folder, mark), ""
        duration_s = time.perf_counter() - began
        evidence = replace(
            _read(seen, folder),
            command=tuple(map(as_text, redact_command(command))),
            exit_code=code,
            timed_out=code is None,
            duration_s=round(duration_s, 3),
            output=output,
            guard=guard_of(command, folder, environ, stopping),
        )
    return Traced(evidence, 124 if code is None else 128 - code if code < 0 else code, epoch)


def _folder_of_the_record(own: Path) -> Path:
    """Make the folder that the probes write to; programs of root that change their user can still write to it.

    Its name cannot be guessed: other users may write to it, but cannot list or read it.
    """
    seen = own / f"seen-{secrets.token_hex(8)}"
    seen.mkdir(0o700)
    if os.geteuid() == 0:
        seen.chmod(0o1733)
        own.chmod(0o711)
    return seen


def here() -> Path:
    """The working directory. Raises TraceError when it no longer exists."""
    try:
        return Path.cwd().resolve()
    except OSError as error:
        raise TraceError(
            f"the working directory no longer exists ({error.strerror})",
            wanted="the project's folder",
            remedy="cd there, and run it again",
        ) from None


def _read(seen: Path, folder: Path) -> Evidence:
    """Read what the probes wrote, after giving helpers of the command time to exit; list those still running."""
    mark = f"{FOLDER_VARIABLE}={seen}"
    deadline = time.monotonic() + _LAST_WORDS_S
    while True:
        evidence = collect.from_probes(seen, folder)
        # A fork without events has no file yet.
        candidates = {*marked_pythons(mark), *(process.pid for process in evidence.processes if not process.ended)}
        running = tuple(sorted(pid for pid in candidates if runs(pid, mark)))
        if not running or time.monotonic() > deadline:
            return replace(evidence, running=running)
        while time.monotonic() < deadline and all(runs(pid, mark) for pid in running):
            time.sleep(_LOOKS_S)


def injected(environ: Mapping[str, str], seen: Path, epoch: float) -> dict[str, str]:
    """The environment in which every Python that is started loads the probes and writes to the folder `seen`."""
    own = {FOLDER_VARIABLE: str(seen), "ISOLATION_PROBES_EPOCH": repr(epoch)}
    path = os.pathsep.join(filter(None, [str(INJECT), environ.get("PYTHONPATH")]))
    # tox passes only variables that its configuration names.
    passed = "testenv.pass_env+=PYTHONPATH,ISOLATION_PROBES_*"
    override = ";".join(filter(None, [environ.get("TOX_OVERRIDE"), passed]))
    return {**environ, **own, "PYTHONPATH": path, "TOX_OVERRIDE": override}


def _run_in_place(command: Sequence[str], environ: Mapping[str, str], folder: Path, mark: str) -> int:
    """Run with this process's terminal, and forward the signals that reach this process alone."""
    with Watcher(mark) as watcher:
        process = _start(command, env=dict(environ), cwd=folder)
        watcher.follow(process.pid)
        return _wait_forwarding(process)


def _wait_forwarding(process: subprocess.Popen[bytes]) -> int:
    def forward(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    # A terminal sends SIGINT and SIGQUIT to the whole process group: the command has received them already.
    handlers: dict[signal.Signals, Handler] = dict.fromkeys((signal.SIGINT, signal.SIGQUIT), signal.SIG_IGN)
    handlers |= dict.fromkeys(_FORWARDED, forward)
    with signal_handlers(handlers, even_ignored=_FORWARDED):  # the command may handle signals that are ignored here
        return process.wait()


def _run_quietly(
    command: Sequence[str],
    environ: Mapping[str, str],
    folder: Path,
    workspace: Path,
    timeout_s: float | None,
    mark: str,
) -> tuple[int | None, str]:
    # An unnamed file: the output is gone when its last reader closes it.
    with tempfile.TemporaryFile(dir=workspace) as file, Watcher(mark) as watcher:
        process = _start(
            command,
            env=dict(environ),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watcher.follow(process.pid)
        try:
            # The command has a session of its own: a signal that ends this process does not reach it.
            with signal_handlers(processes.unless_handled(exit_by_signal)):
                code: int | None = process.wait(timeout_s)
                processes.wait_for_group(process.pid, _LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.returncode is None:  # after its time limit, or a signal to the kit
                processes.end(process.pid, mark)
            processes.end_group(process.pid)
            process.wait()
        return code, _end_of(file)


def _start(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(tuple(command), **options)
    except OSError as error:
        script = shutil.which(command[0], path=options["env"].get("PATH")) if error.errno == errno.ENOEXEC else None
        if script is not None:  # a script without an interpreter line, which a shell runs itself
            return _start(("/bin/sh", os.path.join(options["cwd"], script), *command[1:]), **options)
        if str(error.filename) == str(options["cwd"]):
            raise TraceError(f"the folder {error.filename} no longer exists ({error.strerror})") from None
        missing = error.errno == errno.ENOENT and shutil.which(command[0], path=options["env"].get("PATH")) is None
        raise NotStarted(
            f"{command[0]} cannot be started: {error.strerror}",
            _NOT_FOUND if missing else _NOT_EXECUTABLE,
            wanted="a command that runs here",
            remedy="write it after -- as you would type it",
        ) from None


def _end_of(output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - 4 * _OUTPUT_KEPT))
    # Redacted before it is cut, because half a secret would not be recognised.
    return redact(output.read().decode(errors="replace"))[-_OUTPUT_KEPT:]


def learn_secrets(command: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
    """Register the secrets that are known before a run: from its variables, arguments and the folder's .env files."""
    learn_all(environ)
    learn(*secrets_of_command(command))
    for file in sorted(folder.glob("*.env*")):
        learn_all(variables_in(file))


@contextmanager
def workspace(prefix: str) -> Iterator[Path]:
    """A temporary folder of the kit, removed at the end. Raises TraceError when it cannot be made."""
    with ExitStack() as closing:
        try:
            folder = closing.enter_context(workfolder(prefix))
        except OSError as error:
            raise TraceError(
                f"no temporary folder can be made: {error.strerror}", remedy="set TMPDIR to a folder with free space"
            ) from None
        yield folder


def silent(evidence: Evidence) -> Iterable[str]:
    """The reasons why no probe may have reported; empty when one has."""
    if evidence.processes:
        return
    if evidence.problems:
        yield from (f"The record of the probes is lost: {problem}." for problem in evidence.problems)
        return
    yield "No probe reported: the command started no Python in which the probes could be loaded."
    yield (
        "A Python started with -I, -E or -S loads none, nor does one whose PYTHONPATH was removed by what started it "
        "(a container, sudo, env -i). Name the interpreter itself: kit trace -- python -m pytest"
    )
