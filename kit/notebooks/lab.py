"""JupyterLab on the notebooks, with the pair up for as long as it runs."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kit import processes
from kit.errors import NotebookError

FOLDER = "notebooks"
_END_S = 30.0  # for JupyterLab to end its kernels


def open_lab(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run JupyterLab with `arguments` of its own until the user ends it, and return its exit code.

    Raises NotebookError when JupyterLab is not installed or there is no folder of notebooks here.
    """
    from kit.pair import description, open_pair

    folder = _folder(_here())
    if importlib.util.find_spec("jupyterlab") is None:
        raise NotebookError(
            "JupyterLab is not installed", remedy='pip install "fastapi-database-isolation-kit[notebooks,lab]"'
        )
    with open_pair() as pair:
        print(description(pair), file=sys.stderr, flush=True)
        options = [str(folder), *_as_root(), *arguments]
        return _run(options, {**environ, **pair.environ()})


def _folder(here: Path) -> Path:
    for directory in (here, *here.parents):
        if any((directory / FOLDER).glob("*.ipynb")):
            return directory / FOLDER
    raise NotebookError(f"{here} has no folder {FOLDER!r}", remedy="change into the project's folder")


def _as_root() -> list[str]:
    # JupyterLab refuses root, which is who runs in a container; it listens on loopback only, and asks for a token.
    return ["--allow-root"] if os.geteuid() == 0 else []


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise NotebookError("the working directory no longer exists", remedy="change into another") from None


def _run(options: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run JupyterLab, and have it end when this process ends, however that comes about."""
    reading, writing = os.pipe()
    command = [sys.executable, "-c", _UNTIL_EOF, str(reading), *options]
    signals = _Signals()
    with processes.signal_handlers(signals.handlers()):
        lab = subprocess.Popen(command, env=environ, pass_fds=(reading,))
        os.close(reading)
        try:
            signals.forward_to(lab)
            return _shells_code(lab.wait())
        finally:
            os.close(writing)
            if lab.poll() is None:
                processes.end(lab.pid, ask=signal.SIGTERM, within_s=_END_S)
                lab.wait()


def _shells_code(code: int) -> int:
    return code if code >= 0 else 128 - code


# The pipe's other end is with `kit lab` alone, so that it closes with it. JupyterLab ends its kernels at SIGTERM.
_UNTIL_EOF = """
import os, runpy, signal, sys, threading

pipe = int(sys.argv.pop(1))
os.set_inheritable(pipe, False)

def end():
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=end, name="kit-lab", daemon=True).start()
runpy.run_module("jupyterlab", run_name="__main__", alter_sys=True)
"""


class _Signals:
    """The signals of a running `kit lab`: those that end it are forwarded, Ctrl-C is left to JupyterLab, which asks."""

    def __init__(self) -> None:
        self._lab: subprocess.Popen[bytes] | None = None
        self._came = False

    def handlers(self) -> dict[signal.Signals, processes.Handler]:
        """The handlers; Ctrl-C has one that does nothing, since JupyterLab would inherit that it is ignored."""
        return {**dict.fromkeys(processes.ENDING, self.end), signal.SIGINT: lambda number, frame: None}

    def forward_to(self, lab: subprocess.Popen[bytes]) -> None:
        """Forward what comes from now on, and what came before."""
        self._lab = lab
        if self._came:
            lab.terminate()

    def end(self, *_: object) -> None:
        self._came = True
        if self._lab is not None:
            self._lab.terminate()
