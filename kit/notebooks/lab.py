"""Run JupyterLab on the notebooks, with a pair that is up as long as it runs."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from kit import processes
from kit.errors import NotebookError
from kit.notebooks import copies, originals, warm

WORK = "work"
FIRST = "00_board.ipynb"
"""The notebook that opens first, where there is one: it needs no reading before a reader can do something."""
_END_S = 30.0  # seconds for JupyterLab to end its kernels


def open_lab(
    arguments: Sequence[str], environ: Mapping[str, str], *, start_over: Collection[str] = (), in_place: bool = False
) -> int:
    """Run JupyterLab with its own `arguments` until the user ends it; return its exit code.

    It opens copies of the notebooks, in `work` beside their folder, else in the working directory; with `in_place` the
    notebooks themselves. `start_over` names copies to replace, or `all` (`kit/notebooks/copies.py`).

    Raises NotebookError when JupyterLab is not installed or the copies cannot be made.
    """
    from kit.pair import description, open_pair

    require_lab()
    folder = _folder(_here(), start_over, in_place)
    with open_pair() as pair:
        print(description(pair), file=sys.stderr, flush=True)
        options = [str(folder), *usual_options(folder), *_warm_kernels(), *arguments]
        return _run(options, {**environ, **pair.environ()})


def _folder(here: Path, start_over: Collection[str], in_place: bool) -> Path:
    """The folder to open: the copies or, with `in_place`, the notebooks in or above `here`, else the kit's own."""
    above = next((one for one in (here, *here.parents) if originals.notebooks_in(one / originals.NAME)), None)
    sources = originals.notebooks_in(above / originals.NAME) if above is not None else originals.originals()
    if in_place:
        return sources[0].parent
    folder = (above or here) / WORK
    _report(folder, copies.refresh(folder, sources, start_over))
    return folder


def _report(folder: Path, done: copies.Refreshed) -> None:
    if done.made:
        print(f"Copied to {folder}: {', '.join(done.made)}.", file=sys.stderr)
    if done.aside is not None:
        print(f"The copies that you had changed are in {done.aside}.", file=sys.stderr)
    for name in done.outdated:
        newer = f"The original of {folder / name}.ipynb is newer, and your copy has changes of yours, so it was kept."
        print(f"{newer} To replace it: kit lab --start-over {name}", file=sys.stderr)


def usual_options(folder: Path) -> list[str]:
    """The options with which JupyterLab opens a folder: its first notebook, if there is one."""
    return [*_opened(folder), *_as_root()]


def command(reading: int, options: Sequence[str]) -> list[str]:
    """The command that runs JupyterLab until the pipe `reading` is closed at its other end."""
    return [sys.executable, "-c", _UNTIL_EOF, str(reading), *options]


def require_lab() -> None:
    """Raise NotebookError when JupyterLab is not installed."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise NotebookError("JupyterLab is not installed", remedy='pip install "fastapi-database-isolation-kit[lab]"')


def _opened(folder: Path) -> list[str]:
    # As an option, because the URL that JupyterLab prints then contains it, for terminals without a browser.
    return [f"--LabApp.default_url=/lab/tree/{FIRST}"] if (folder / FIRST).exists() else []


def _warm_kernels() -> list[str]:
    return [f"--KernelProvisionerFactory.default_provisioner_name={warm.NAME}"] if warm.is_installed() else []


def _as_root() -> list[str]:
    # JupyterLab refuses to run as root, the usual user in a container; it only listens on loopback and requires a
    # token.
    return ["--allow-root"] if os.geteuid() == 0 else []


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise NotebookError("the working directory no longer exists", remedy="change into another") from None


def _run(options: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run JupyterLab, and make it end when this process exits, in whatever way."""
    reading, writing = os.pipe()
    signals = _Signals()
    with processes.signal_handlers(signals.handlers()):
        lab = subprocess.Popen(command(reading, options), env=environ, pass_fds=(reading,))
        os.close(reading)
        try:
            signals.forward_to(lab)
            code = _shells_code(lab.wait())
            return code if signals.came is None else 128 + signals.came
        finally:
            os.close(writing)
            if lab.poll() is None:
                processes.end(lab.pid, ask=signal.SIGTERM, within_s=_END_S)
                lab.wait()


def _shells_code(code: int) -> int:
    return code if code >= 0 else 128 - code


# Only `kit lab` holds the pipe's other end, so it closes with that process. JupyterLab ends its kernels at SIGTERM.
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
    """Signal handling of a running `kit lab`: forwards the signals that end it; JupyterLab handles Ctrl-C itself."""

    def __init__(self) -> None:
        self._lab: subprocess.Popen[bytes] | None = None
        self.came: int | None = None
        """The number of the signal that ended `kit lab`, if one did."""

    def handlers(self) -> dict[signal.Signals, processes.Handler]:
        """The handlers. Ctrl-C gets one without effect, because JupyterLab would inherit an ignored signal."""
        return {**dict.fromkeys(processes.ENDING, self.end), signal.SIGINT: lambda number, frame: None}

    def forward_to(self, lab: subprocess.Popen[bytes]) -> None:
        """Ask JupyterLab to end at each signal from now on, and at one that came before."""
        self._lab = lab
        if self.came is not None:
            lab.terminate()

    def end(self, number: int, _: object) -> None:
        """Handle a signal: JupyterLab ends its kernels at SIGTERM, whichever came."""
        self.came = self.came or number
        if self._lab is not None:
            self._lab.terminate()
