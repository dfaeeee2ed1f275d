"""Parents of kernels: which one fits an environment, and when another one is started."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping

from kit.errors import TrialError
from kit.trials.fork_server import AnyParent, Kind, give_back, kind_of, take, take_idle

MODULES = (
    "ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.comm", "IPython.core.completer",
    "pandas", "psycopg", "kit.notebooks.investigate.kernel", "kit.notebooks.checks",
    "kit.notebooks.predictions", "kit.report.tables", "kit.report.timeline", "kit.specimens.attempts",
    "kit.specimens.trial", "kit.trials.runner", "kit.evidence.causes",
)  # fmt: skip
"""What a parent imports besides the libraries of trials: IPython's kernel, and what the kit's notebooks import.

None that looks for a running IPython or reads the working directory as it is imported: ipywidgets, matplotlib,
`kit.notebooks.cells`.
"""
_OWN = ("KIT_", "JPY_")
_EACH_ITS_OWN = ("TMPDIR", "PWD", "OLDPWD", "SHLVL", "_", "PYTEST_CURRENT_TEST")
# A library that starts threads when it is imported makes a fork unsafe; numpy's does, one for each processor.
_NO_THREADS = {"OPENBLAS_NUM_THREADS": "1"}


def kind(environ: Mapping[str, str]) -> Kind:
    """What a parent for a kernel with this environment has in common with others that fit."""
    same = _alike(environ)
    return kind_of(sys.executable, same, True, MODULES, same)


def is_waiting(environ: Mapping[str, str]) -> bool:
    """Whether a parent for such a kernel is idle; if so, it stays so."""
    parent = idle(environ)
    if parent is not None:
        give_back(parent)
    return parent is not None


def idle(environ: Mapping[str, str]) -> AnyParent | None:
    """An idle parent for a kernel with this environment; it is returned with `kit.trials.fork_server.give_back`."""
    return take_idle(kind(environ))


def idle_or_new(environ: Mapping[str, str]) -> AnyParent:
    """The same, or else a new parent, which may not be ready yet."""
    same = _alike(environ)
    return take(sys.executable, same, also=MODULES, alike=same)


def prepare(environ: Mapping[str, str]) -> None:
    """Have a parent for such a kernel wait for the next one, unless one waits already; returns at once."""
    if not is_waiting(environ):
        threading.Thread(target=_make_ready, args=(environ,), name="kit-warm", daemon=True).start()


def _make_ready(environ: Mapping[str, str]) -> None:
    try:
        parent = idle_or_new(environ)
        parent.ready()
    except TrialError:  # the next kernels are ordinary ones
        return
    give_back(parent)


def _alike(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables in which a kernel must not differ from its parent, because a library may read them when imported.

    All but those of the kit and of Jupyter, and those that name where a process runs, or for which test.
    """
    kept = {
        name: value for name, value in environ.items() if not name.startswith(_OWN) and name not in _EACH_ITS_OWN
    }  # fmt: skip
    return {**_NO_THREADS, **kept}


def is_this_interpreter(program: str) -> bool:
    """Whether a kernel's program is the interpreter that runs the kit."""
    if program in ("python", "python3"):  # Jupyter replaces these by its own interpreter
        return True
    same_folder = os.path.dirname(os.path.abspath(program)) == os.path.dirname(os.path.abspath(sys.executable))
    return same_folder and os.path.realpath(program) == os.path.realpath(sys.executable)
