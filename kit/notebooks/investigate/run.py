"""One run: check the request, open pairs, run the notebooks in parallel, judge them, and save the results."""

from __future__ import annotations

import copy
import errno
import os
import queue
import signal
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from kit import processes
from kit.errors import EvidenceError, KitError, NotebookError
from kit.notebooks.cells import STACK_VARIABLE
from kit.notebooks.investigate import parameters, saved
from kit.notebooks.investigate.places import Place, describe_places, places
from kit.notebooks.investigate.progress import Progress, summary
from kit.notebooks.investigate.results import Investigation, NotebookRun, conclude, judge
from kit.notebooks.investigate.scrub import Secrets
from kit.notebooks.investigate.tasks import KERNEL, Task, nbformat, tasks
from kit.notebooks.investigate.watching import Watcher
from kit.notebooks.originals import glossary_of
from kit.pair.external import VARIABLES
from kit.probes.redact import learn_all, redact
from kit.report.printable import printable
from kit.trials.run_folder import EVIDENCE, FRESH_VARIABLE, RUN_VARIABLE, SHELF_VARIABLE, Run, new_run
from kit.trials.stacks import stack

if TYPE_CHECKING:
    from rich.console import Console

DEFAULT_STACK = "current"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_TEXTS = (".ipynb", ".html", ".json", ".xml")


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of `investigate`, which documents them."""

    notebooks: tuple[Path, ...]
    parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]
    jobs: int | None
    timeout_cell_s: float
    timeout_notebook_s: float
    output_cell_bytes: int
    output_notebook_bytes: int
    out: Path
    stack: str | None
    environ: Mapping[str, str]
    with_pair: bool
    solved: bool
    fresh: bool
    cwd: Path | None
    log_output: bool
    name: str | None = None  # of the run's folder; None makes a new name, and `latest` a link to it


def carry_out(request: Request, console: Console | None = None) -> Investigation:
    """Carry out a request, print the result, and return it."""
    from kit.notebooks.investigate.progress import console as standard_output

    console = console or standard_output()
    learn_secrets(request)
    result = investigated(request, console)
    summary(result, console)
    return result


def learn_secrets(request: Request) -> None:
    """Remember the secrets in the environment and the parameters, so that no text will show them."""
    learn_all(request.environ)
    given = request.parameters
    for name, value in given.items() if isinstance(given, Mapping) else given:
        learn_all({name: value})


def investigated(request: Request, console: Console) -> Investigation:
    """Carry out a request and return the result; print the progress, and not the result."""
    try:
        return _investigated(request, console)
    except KitError as error:
        return Investigation(2, redact(with_wanted(error)), redact(error.remedy))


def _investigated(request: Request, console: Console) -> Investigation:
    began = time.monotonic()
    check_numbers(request)
    if request.cwd is not None and not request.cwd.is_dir():
        raise NotebookError(f"There is no folder {request.cwd}", remedy="name a folder for the notebooks to run in")
    wanted = tasks(request.notebooks, request.parameters, request.stack, solved=request.solved)
    jobs = min(request.jobs or os.cpu_count() or 1, len(wanted))
    with ExitStack() as closing:
        run = closing.enter_context(new_run(request.out, request.name))
        ahead = closing.enter_context(ThreadPoolExecutor(1, thread_name_prefix="kit-ahead"))
        loading = ahead.submit(_load_papermill)
        trials = stack(request.stack or DEFAULT_STACK)
        found = closing.enter_context(places(jobs, trials, with_pair=request.with_pair))
        if whose := describe_places(found):
            console.print(printable(redact(whose)), markup=False, soft_wrap=True)
        loading.result()
        ahead.submit(_load_pages)
        versions = {"name": trials.name, **trials.versions}
        work = _Work(request, run, found, versions, Progress(console, len(wanted)))
        with _interruptible(work):
            with work.progress:
                done = work.all_of(wanted, began)
            result = replace(conclude(done, run.folder, time.monotonic() - began), stopped=work.stopped)
            return _kept(work, result)


def with_wanted(error: KitError) -> str:
    """Return what was found, and what was wanted, without the remedy."""
    return f"{error.found}. Wanted: {error.wanted}" if error.wanted else error.found


def check_numbers(request: Request) -> None:
    """Raise NotebookError for limits that are not positive and finite."""
    limits = {
        "a cell's time": request.timeout_cell_s, "a notebook's time": request.timeout_notebook_s,
        "a cell's output": request.output_cell_bytes, "a notebook's output": request.output_notebook_bytes,
        "the number of jobs": 1 if request.jobs is None else request.jobs,
    }  # fmt: skip
    for what, limit in limits.items():
        if not (isfinite(limit) and limit > 0):
            raise NotebookError(f"The limit of {what} is {limit}", wanted="a finite number above 0", remedy="give one")


def _kept(work: _Work, result: Investigation) -> Investigation:
    """Save the results. On failure, report that in addition to the results, and leave `latest` as it is."""
    try:
        _keep(work.run, result, work.stack)
        if work.glossary is not None:
            _keep_glossary(work.run, work.glossary)
        _refuse_secrets(work.run, work.secrets())
        if work.request.name is None:
            work.run.link_latest()
    except EvidenceError as error:
        return replace(result, exit_code=2, reason=with_wanted(error), remedy=error.remedy, folder=None)
    return result


def _load_papermill() -> None:
    nbformat()
    import papermill  # noqa: F401
    from papermill.engines import papermill_engines

    from kit.notebooks.investigate.engine import KitEngine

    papermill_engines.register("kit", KitEngine)


def _load_pages() -> None:
    from kit.notebooks.investigate import pages

    pages.warm_up()


def _interruptible(work: _Work) -> AbstractContextManager[None]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into an orderly end: kernels are killed, notebooks say why, results are saved."""

    def stop(number: int, frame: FrameType | None) -> None:
        work.stop(f"the run was ended by {signal.Signals(number).name}")

    # A shell starts background jobs with SIGINT ignored; a SIGINT sent to one is still meant to end it.
    handlers = dict.fromkeys((signal.SIGINT, *processes.ENDING), stop)
    return processes.signal_handlers(handlers, even_ignored=(signal.SIGINT,))


class _Work:
    """The notebooks of one run while they run."""

    def __init__(
        self, request: Request, run: Run, places: Sequence[Place], stack: Mapping[str, str], progress: Progress
    ) -> None:
        self.request, self.run, self.stack, self.progress = request, run, stack, progress
        self._all_places = places
        self.places: queue.SimpleQueue[Place] = queue.SimpleQueue()
        for place in places:
            self.places.put(place)
        self.at_a_time = len(places)
        self._given = (request.environ, parameters.pairs(request.parameters))
        self.stopped = ""
        self.glossary: Path | None = None
        self.names: list[str] = []
        self.kernels: set[tuple[int, str]] = set()

    def all_of(self, tasks: Sequence[Task], began: float) -> list[NotebookRun]:
        self.glossary = glossary_of(task.path for task in tasks)
        self.names = [task.name for task in tasks]
        first = [task for task in tasks if not task.last]
        last = [task for task in tasks if task.last]
        done = self._side_by_side(first)
        if last:
            try:  # they read the claims of the others
                _keep_claims(self.run, conclude(done, self.run.folder, time.monotonic() - began), self.stack)
            except EvidenceError as error:
                last = [replace(task, problem=error) for task in last]
            done += self._side_by_side(last)
        return sorted(done, key=lambda run: self.names.index(run.name))

    def secrets(self) -> Secrets:
        """The secrets in the environments, parameters and pairs of this run's notebooks."""
        return Secrets.of(*self._given, *(told for place in self._all_places for told in place.told))

    def stop(self, why: str) -> None:
        """Kill all kernels; the notebooks record `why`."""
        self.stopped = self.stopped or why
        for pid, mark in tuple(self.kernels):
            processes.end(pid, mark)

    def _side_by_side(self, tasks: Sequence[Task]) -> list[NotebookRun]:
        if not tasks:
            return []
        with ThreadPoolExecutor(self.at_a_time, thread_name_prefix="kit-notebook") as pool:
            futures = [pool.submit(self._one, task) for task in tasks]
            wait(futures)
            return [future.result() for future in futures]

    def _one(self, task: Task) -> NotebookRun:
        """Run one notebook. Its errors affect only its own result."""
        self.progress.notebook_started(task.name)
        place = self.places.get()
        try:
            result, nb = self._run_task(task, place)
        except Exception as error:
            result, nb = self._could_not_run(task, error)
        finally:
            self.places.put(place)
        result = self._with_page(result, nb)
        self.progress.notebook_ended(result)
        return result

    def _run_task(self, task: Task, place: Place) -> tuple[NotebookRun, Any]:
        if task.problem is not None:
            raise task.problem
        place.make_ready()
        environ = self._environ(place)
        self._execute(task, environ, place)
        nb = nbformat().read(self.run.path(f"{task.name}.ipynb"), as_version=4)
        left, trouble = place.inspect(failed=bool(saved.Outcome.of(nb).error))
        left = [self.secrets().out_of(line) for line in left]
        return judge(task.name, nb, left, trouble=trouble, solved=self.request.solved), nb

    def _could_not_run(self, task: Task, error: Exception) -> tuple[NotebookRun, Any]:
        """The result of a notebook that could not be run, or not to its end."""
        name, reason = _explained(error)
        nb = _unrun_notebook(task, self.secrets(), name, reason)
        with suppress(EvidenceError):  # the end of the run reports that nothing can be written there
            self.run.write(f"{task.name}.ipynb", nbformat().writes(nb))
        return judge(task.name, nb), nb

    def _with_page(self, result: NotebookRun, nb: Any) -> NotebookRun:
        from kit.notebooks.investigate import pages

        try:
            page = pages.notebook(result, nb, self.names, [self.glossary.stem] if self.glossary else [])
        except Exception as error:  # a cell may contain outputs that cannot be converted
            why = " ".join(redact(f"{type(error).__name__}: {error}").split())[:300]
            result = replace(result, remarks=(*result.remarks, f"No page could be made of it ({why})."))
            page = pages.without_body(result, self.names)
        with suppress(EvidenceError):  # likewise
            self.run.write(result.page, page)
        return result

    def _environ(self, place: Place) -> dict[str, str]:
        environ = dict(self.request.environ)
        # A notebook displays its figures itself; a CI job may have set a backend that displays none.
        environ.pop("MPLBACKEND", None)
        environ |= {RUN_VARIABLE: str(self.run.folder), SHELF_VARIABLE: str(self.run.shelf.folder)}
        if self.request.stack is not None:
            environ[STACK_VARIABLE] = self.request.stack
        if self.request.fresh:
            environ[FRESH_VARIABLE] = "1"
        if place.own:  # the kernel asks for its pair, and must not find another one first
            environ = {name: value for name, value in environ.items() if name not in VARIABLES}
        return environ | place.environ()

    def _execute(self, task: Task, environ: Mapping[str, str], place: Place) -> None:
        import papermill
        from papermill.exceptions import PapermillExecutionError

        path = self.run.path(f"{task.name}.ipynb")
        prepared = self.run.write(path.name, nbformat().writes(task.nb))
        ended = path.with_name(f".{path.name}")
        # The error is read from the saved notebook; papermill's exception only repeats it.
        with suppress(PapermillExecutionError):
            papermill.execute_notebook(
                _literal(prepared),
                _literal(ended),
                dict(task.parameters),
                engine_name="kit",
                kernel_name=KERNEL,
                language="python",
                progress_bar=False,
                execution_timeout=self.request.timeout_cell_s,
                timeout_notebook_s=self.request.timeout_notebook_s,
                output_cell_bytes=self.request.output_cell_bytes,
                output_notebook_bytes=self.request.output_notebook_bytes,
                environ=environ,
                told_later=lambda: tuple(place.told),
                folder=self.request.cwd or task.path.parent,
                log_output=self.request.log_output,
                save_to=path,
                watcher=_Reporter(self, task.name),
            )
        ended.replace(path)


def _explained(error: Exception) -> tuple[str, str]:
    """Return the name and the reason of the error that is saved for a notebook that could not be run."""
    if isinstance(error, KitError):
        return saved.NOT_RUN, str(error)
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        full = f"what this notebook gave cannot be written: {error.strerror}"
        return saved.NOT_RUN, str(NotebookError(full, remedy="make room there, or name another folder (--out DIR)"))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}, line {frame.lineno}"
    return saved.FAULT, redact(f"the kit itself failed with this notebook: {type(error).__name__}: {error} ({where})")


def _unrun_notebook(task: Task, secrets: Secrets, error: str, reason: str) -> Any:
    """Return the notebook in the state in which no cell has run, with a reason."""
    nb = copy.deepcopy(task.nb)
    secrets.out_of_notebook(nb)
    cells = saved.code_cells(nb)
    labels = tuple(saved.label(nb, index) for index in cells)
    saved.write_outcome(nb, saved.Outcome(len(cells), 0, 0.0, error=error, reason=reason, never_ran=labels))
    return nb


class _Reporter(Watcher):
    """Forwards the engine's events for one notebook."""

    def __init__(self, work: _Work, name: str) -> None:
        self.work, self.name = work, name
        self.kernel: tuple[int, str] | None = None

    def kernel_started(self, pid: int, mark: str) -> None:
        self.kernel = (pid, mark)
        self.work.kernels.add(self.kernel)
        if self.work.stopped:
            processes.end(pid, mark)

    def kernel_ended(self) -> None:
        if self.kernel is not None:
            self.work.kernels.discard(self.kernel)

    def cell_started(self, label: str, number: int, count: int) -> None:
        self.work.progress.cell_started(self.name, label, number, count)

    def cell_ended(self, cell: Any) -> None:
        from kit.notebooks.investigate.claims import decided_in

        for claim in decided_in(cell):
            self.work.progress.claim_decided(self.name, claim)

    def stopping(self) -> str:
        return self.work.stopped


def _literal(path: Path) -> str:
    """Escape a path for papermill, which formats paths with the parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _keep_glossary(run: Run, glossary: Path) -> None:
    """Save the glossary to which the notebooks link, as text and as a page."""
    from kit.notebooks.investigate import pages

    text = glossary.read_text("utf-8", "replace")
    run.write(glossary.name, text)
    run.write(f"{glossary.stem}.html", pages.document("Glossary", text))


def _keep_claims(run: Run, result: Investigation, stack: Mapping[str, str]) -> None:
    from kit.notebooks.investigate import records

    run.write("claims.json", records.claims(result, stack))


def _keep(run: Run, result: Investigation, stack: Mapping[str, str]) -> None:
    from kit.notebooks.investigate import pages, records

    _keep_claims(run, result, stack)
    run.write("junit.xml", records.junit(result))
    run.write("index.html", pages.index(result, stack))


def _refuse_secrets(run: Run, secrets: Secrets) -> None:
    """Search all saved files for secrets. Any that is found is removed and reported as a fault.

    In evidence they are removed without a report: the process that wrote it may not have known all secrets.
    """
    found = []
    for path in sorted(run.folder.rglob("*")):
        if path.suffix in _TEXTS and secrets.within(text := path.read_text("utf-8", "replace")):
            run.write(str(path.relative_to(run.folder)), secrets.known.out_of(text))
            found += [path.name] if path.parent.name != EVIDENCE else []
    if found:
        names = ", ".join(found)
        raise NotebookError(f"A password had come into {names}, and was taken out", remedy="report this fault")
