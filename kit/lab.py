"""JupyterLab on the notebooks, with the pair up for as long as it runs."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from kit.errors import NotebookError

FOLDER = "notebooks"


def open_lab(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run JupyterLab with `arguments` of its own until the user ends it, and return its exit code.

    Raises NotebookError when JupyterLab is not installed or there is no folder of notebooks here.
    """
    from kit.pair import open_pair

    folder = _folder(Path.cwd())
    if importlib.util.find_spec("jupyterlab") is None:
        raise NotebookError(
            "JupyterLab is not installed", remedy='pip install "fastapi-database-isolation-kit[notebooks,lab]"'
        )
    with open_pair() as pair:
        command = [sys.executable, "-m", "jupyterlab", str(folder), *_as_root(), *arguments]
        return _wait(subprocess.Popen(command, env={**environ, **pair.environ()}))


def _folder(here: Path) -> Path:
    for directory in (here, *here.parents):
        if any((directory / FOLDER).glob("*.ipynb")):
            return directory / FOLDER
    raise NotebookError(f"{here} has no folder {FOLDER!r}", remedy="change into the project's folder")


def _as_root() -> list[str]:
    # JupyterLab refuses root, which is who runs in a container; it listens on loopback only, and asks for a token.
    return ["--allow-root"] if os.geteuid() == 0 else []


def _wait(lab: subprocess.Popen[bytes]) -> int:
    with _signals_left_to(lab):
        return lab.wait()


@contextmanager
def _signals_left_to(lab: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave Ctrl-C to JupyterLab, which asks before it ends, and hand a termination on: the pair is taken down."""
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    terminate = signal.signal(signal.SIGTERM, lambda *_: lab.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)
