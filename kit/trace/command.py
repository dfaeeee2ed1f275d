"""Runs a command as it would run without the kit, but with the probes carried in, and reads what they saw.

The command keeps the terminal, its input and output, its signals and its exit code. What the probes write goes to a
folder of the kit's own, which is gone when the answer has been read.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from kit import collect
from kit.errors import TraceError
from kit.evidence import Evidence
from kit.probes.redact import redact

CARRIED = Path(__file__).parents[1] / "carried"
_FORWARDED = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT")
_OUTPUT_KEPT = 20_000  # characters, from the end
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


@dataclass(frozen=True, slots=True)
class Traced:
    """A command that was run with the probes in. `returncode` is what a shell would say of it."""

    evidence: Evidence
    returncode: int


def trace(
    command: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    extra: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    quiet: bool = False,
) -> Traced:
    """Run `command` in `folder` with the probes in, and return what they saw.

    `extra` are further variables for the command. With `quiet` its output is kept in the evidence, its input is
    empty, and at `timeout_s` it is ended with all that it started; without, terminal and signals are the command's.
    Raises TraceError where the command cannot be started.
    """
    folder = (folder or Path.cwd()).resolve()
    with _workspace() as workspace:
        seen = workspace / "seen"
        seen.mkdir()
        epoch = time.time()
        variables = carrying(environ if environ is not None else os.environ, seen, epoch) | dict(extra or {})
        began = time.perf_counter()
        if quiet:
            code, output = _run_quietly(command, variables, folder, workspace / "output", timeout_s)
        else:
            code, output = _run_in_place(command, variables, folder), ""
        evidence = replace(
            collect.from_probes(seen, folder),
            command=tuple(command),
            exit_code=code,
            timed_out=code is None,
            duration_s=round(time.perf_counter() - began, 3),
            output=output,
        )
    return Traced(evidence, 124 if code is None else 128 - code if code < 0 else code)


def carrying(environ: Mapping[str, str], seen: Path, epoch: float) -> dict[str, str]:
    """The environment in which every Python that is started has the probes in and writes to the folder `seen`."""
    own = {"ISOLATION_PROBES_DIR": str(seen), "ISOLATION_PROBES_EPOCH": repr(epoch)}
    path = os.pathsep.join(filter(None, [str(CARRIED), environ.get("PYTHONPATH")]))
    # tox hands on no variable that it has not been told of.
    passed = "testenv.pass_env+=PYTHONPATH,ISOLATION_PROBES_*"
    override = ";".join(filter(None, [environ.get("TOX_OVERRIDE"), passed]))
    return {**environ, **own, "PYTHONPATH": path, "TOX_OVERRIDE": override}


def _run_in_place(command: Sequence[str], environ: Mapping[str, str], folder: Path) -> int:
    """Run with this process's terminal, and hand on the signals that reach this process alone."""
    process = _start(command, env=dict(environ), cwd=folder)
    before: dict[int, Any] = {}

    def hand_on(number: int, frame: object) -> None:
        process.send_signal(number)

    try:
        # A terminal sends these to the whole group: the command has them already.
        before.update({number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)})
        for name in _FORWARDED:
            number = getattr(signal, name)
            before[number] = signal.signal(number, hand_on)
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_quietly(
    command: Sequence[str],
    environ: Mapping[str, str],
    folder: Path,
    output: Path,
    timeout_s: float | None,
) -> tuple[int | None, str]:
    with output.open("wb") as file:
        process = _start(
            command,
            env=dict(environ),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            with _ended_by_signals():
                code: int | None = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end_group(process)
    return code, redact(_end_of(output))


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Turn a signal to end this process into SystemExit: what it started, in a session of its own, would go on."""
    if threading.current_thread() is not threading.main_thread():  # which alone is told of signals
        yield
        return

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(tuple(command), **options)
    except OSError as error:
        raise TraceError(
            f"{command[0]} cannot be started: {error.strerror}",
            wanted="a command that runs here",
            remedy="write it after -- as you would type it",
        ) from None


def _end_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # all of the group has ended by itself
        process.poll()
    process.wait()


def _end_of(output: Path) -> str:
    file: IO[bytes]
    with output.open("rb") as file:
        file.seek(max(0, output.stat().st_size - 4 * _OUTPUT_KEPT))
        return file.read().decode(errors="replace")[-_OUTPUT_KEPT:]


@contextmanager
def _workspace() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kit-trace-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def silent(evidence: Evidence) -> Iterable[str]:
    """Say why no probe may have reported; nothing where one has."""
    if evidence.processes:
        return
    yield "No probe reported: the command started no Python that could take the probes in."
    yield (
        "A Python started with -I, -E or without site (-S) takes none in, nor does one whose PYTHONPATH was taken away "
        "by what started it (a container, sudo, env -i). Name the interpreter itself: kit trace -- python -m pytest"
    )
