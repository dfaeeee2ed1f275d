"""Small projects that a test writes itself and runs with the probes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent

from kit.answer.diagnosis import Diagnosis
from kit.answer.model import Answer
from kit.diagnosing import diagnose
from kit.tracing import ask, trace

# One plugin of this environment imports FastAPI, which takes longer than everything else in a small project.
# Each of these plugins imports more than most of these projects do.
LIGHT = ("-p", "no:cacheprovider", "-p", "no:pytest_fastapi_deps", "-p", "no:anyio")
PYTEST = (sys.executable, "-m", "pytest", "-q", *LIGHT)
_INHERITED = ("HOME", "LANG", "PATH", "TMPDIR")


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files of a project, by their paths, dedented."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return folder


def traced(folder: Path, *, command: Sequence[str] = PYTEST, allow: Sequence[str] = (), **environ: str) -> Answer:
    """Run a project's tests with the probes, and analyse the run."""
    run = trace(command, folder=folder, environ=_environ(environ), quiet=True)
    assert run.evidence.processes, run.evidence.output
    return ask(run, allow, folder)


def diagnosed(
    folder: Path, *, command: Sequence[str] = PYTEST, allow: Sequence[str] = (), stop: bool = False, **environ: str
) -> tuple[Answer, Diagnosis]:
    """Diagnose a project's tests; with `stop` the first run is guarded, too."""
    return diagnose(command, allow, folder=folder, environ=_environ(environ), stop=stop)


def _environ(own: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "PYTHONDONTWRITEBYTECODE": "1", **own}
