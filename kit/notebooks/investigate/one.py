"""Run one notebook: the work that is the same wherever it is done. What goes in and what comes out is plain data."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kit.errors import EvidenceError, KitError, NotebookError
from kit.notebooks.cells import STACK_VARIABLE
from kit.notebooks.investigate import saved
from kit.notebooks.investigate.places import Place
from kit.notebooks.investigate.results import NotebookRun, judge
from kit.notebooks.investigate.scrub import Secrets
from kit.notebooks.investigate.tasks import KERNEL, nbformat
from kit.notebooks.investigate.watching import Watcher
from kit.pair.external import VARIABLES
from kit.probes.redact import redact
from kit.trials.run_folder import FRESH_VARIABLE, RUN_VARIABLE, SHELF_VARIABLE, Run

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Job:
    """One notebook to run, and how. All values are JSON.

    `notebook` is the text of the file, `folder` the kernel's working directory, `environ` its environment, without what
    belongs to the place where it runs. `pages` are the names of the run's notebooks in reading order, `documents`
    those of its other pages; the notebook's own page links to them. `stack` None leaves the stack to
    the notebook. Limits are in seconds and bytes.
    """

    name: str
    notebook: str = field(repr=False)
    parameters: Mapping[str, Any]
    folder: str
    environ: Mapping[str, str] = field(repr=False)
    pages: tuple[str, ...]
    documents: tuple[str, ...]
    stack: str | None
    timeout_cell_s: float
    timeout_notebook_s: float
    output_cell_bytes: int
    output_notebook_bytes: int
    solved: bool
    fresh: bool
    log_output: bool

    def read(self) -> Any:
        """Return the notebook."""
        return nbformat().reads(self.notebook, as_version=4)


class Stopped(NotebookError):
    """The run was stopped before this notebook came to its end."""


def run_notebook(job: Job, run: Run, place: Place, secrets: Callable[[], Secrets], watcher: Watcher) -> NotebookRun:
    """Run a notebook at a place, and write it and its page into the run's folder. Errors affect only its result.

    `secrets` returns those known by now. `watcher` learns of the notebook's progress, and may stop it.
    """
    try:
        place.make_ready()
        _execute(job, run, place, watcher)
        nb = nbformat().read(run.path(f"{job.name}.ipynb"), as_version=4)
        left, trouble = place.inspect(failed=bool(saved.Outcome.of(nb).error))
        left = [secrets().out_of(line) for line in left]
        return _with_page(job, judge(job.name, nb, left, trouble=trouble, solved=job.solved), nb, run)
    except Exception as error:
        return could_not_run(job, run, secrets(), *explained(error))


def could_not_run(job: Job, run: Run, secrets: Secrets, error: str, reason: str) -> NotebookRun:
    """The result of a notebook that could not be run, or not to its end; written like that of one that was."""
    nb = _unrun_notebook(job.read(), secrets, error, reason)
    with suppress(EvidenceError):  # the end of the run reports that nothing can be written there
        run.write(f"{job.name}.ipynb", nbformat().writes(nb))
    return _with_page(job, judge(job.name, nb), nb, run)


def explained(error: Exception) -> tuple[str, str]:
    """Return the name and the reason of the error that is saved for a notebook that could not be run."""
    if isinstance(error, Stopped):
        return "Interrupted", error.found
    if isinstance(error, KitError):
        return saved.NOT_RUN, str(error)
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        full = f"what this notebook gave cannot be written: {error.strerror}"
        return saved.NOT_RUN, str(NotebookError(full, remedy="make room there, or name another folder (--out DIR)"))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}, line {frame.lineno}"
    return saved.FAULT, redact(f"the kit itself failed with this notebook: {type(error).__name__}: {error} ({where})")


def load_libraries() -> None:
    """Import papermill, and register the kit's engine with it."""
    nbformat()
    import papermill  # noqa: F401
    from papermill.engines import papermill_engines

    from kit.notebooks.investigate.engine import KitEngine

    papermill_engines.register("kit", KitEngine)


def _execute(job: Job, run: Run, place: Place, watcher: Watcher) -> None:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    path = run.path(f"{job.name}.ipynb")
    prepared = run.write(path.name, job.notebook)
    ended = path.with_name(f".{path.name}")
    # The error is read from the saved notebook; papermill's exception only repeats it.
    with suppress(PapermillExecutionError):
        papermill.execute_notebook(
            _literal(prepared),
            _literal(ended),
            dict(job.parameters),
            engine_name="kit",
            kernel_name=KERNEL,
            language="python",
            progress_bar=False,
            execution_timeout=job.timeout_cell_s,
            timeout_notebook_s=job.timeout_notebook_s,
            output_cell_bytes=job.output_cell_bytes,
            output_notebook_bytes=job.output_notebook_bytes,
            environ=_environ(job, run, place),
            told_later=lambda: tuple(place.told),
            folder=Path(job.folder),
            log_output=job.log_output,
            save_to=path,
            watcher=watcher,
        )
    ended.replace(path)


def _environ(job: Job, run: Run, place: Place) -> dict[str, str]:
    environ = dict(job.environ)
    # A notebook displays its figures itself; a CI job may have set a backend that displays none.
    environ.pop("MPLBACKEND", None)
    environ |= {RUN_VARIABLE: str(run.folder), SHELF_VARIABLE: str(run.shelf.folder)}
    if job.stack is not None:
        environ[STACK_VARIABLE] = job.stack
    if job.fresh:
        environ[FRESH_VARIABLE] = "1"
    if place.own:  # the kernel asks for its pair, and must not find another one first
        environ = {name: value for name, value in environ.items() if name not in VARIABLES}
    return environ | place.environ()


def _with_page(job: Job, result: NotebookRun, nb: Any, run: Run) -> NotebookRun:
    from kit.notebooks.investigate import pages

    try:
        page = pages.notebook(result, nb, job.pages, job.documents)
    except Exception as error:  # a cell may contain outputs that cannot be converted
        why = " ".join(redact(f"{type(error).__name__}: {error}").split())[:300]
        result = replace(result, remarks=(*result.remarks, f"No page could be made of it ({why})."))
        page = pages.without_body(result, job.pages)
    with suppress(EvidenceError):  # the end of the run reports that nothing can be written there
        run.write(result.page, page)
    return result


def _unrun_notebook(nb: Any, secrets: Secrets, error: str, reason: str) -> Any:
    """Return the notebook in the state in which no cell has run, with a reason."""
    secrets.out_of_notebook(nb)
    cells = saved.code_cells(nb)
    labels = tuple(saved.label(nb, index) for index in cells)
    saved.write_outcome(nb, saved.Outcome(len(cells), 0, 0.0, error=error, reason=reason, never_ran=labels))
    return nb


def _literal(path: Path) -> str:
    """Escape a path for papermill, which formats paths with the parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")
