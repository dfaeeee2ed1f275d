"""One run: check the request, open pairs, run the notebooks in parallel, judge them, and save the results."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from kit import processes
from kit.errors import EvidenceError, KitError, NotebookError
from kit.notebooks.cells import Claim
from kit.notebooks.investigate import parameters
from kit.notebooks.investigate.executors import Executor, Local
from kit.notebooks.investigate.one import Job, could_not_run, explained, load_libraries
from kit.notebooks.investigate.places import describe_places, places
from kit.notebooks.investigate.progress import Progress, summary
from kit.notebooks.investigate.results import Investigation, NotebookRun, conclude
from kit.notebooks.investigate.scrub import Secrets
from kit.notebooks.investigate.tasks import Task, nbformat, tasks
from kit.notebooks.investigate.watching import Watcher
from kit.notebooks.originals import glossary_of
from kit.probes.redact import learn_all, redact
from kit.report.printable import printable
from kit.trials.run_folder import EVIDENCE, Run, new_run
from kit.trials.stacks import Stack, packages, stack

if TYPE_CHECKING:
    from rich.console import Console

DEFAULT_STACK = "current"
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
    executor: str | None = None  # dask://HOST:PORT; None is this machine
    label: str = ""  # before the names of notebooks in the lines of its progress


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


class Stopping:
    """Stops the runs that are added to it. `why` is the reason; empty while they may go on."""

    def __init__(self) -> None:
        self.why = ""
        self._works: list[_Work] = []

    def add(self, work: _Work) -> None:
        """Stop this run, too, at once if the others are stopped already."""
        self._works.append(work)
        if self.why:
            work.stop(self.why)

    def stop(self, why: str) -> None:
        """Stop the runs, for this reason."""
        self.why = self.why or why
        for work in tuple(self._works):
            work.stop(why)


def investigated(request: Request, console: Console, stopping: Stopping | None = None) -> Investigation:
    """Carry out a request and return the result; print the progress, and not the result.

    `stopping` can stop it from another thread; in the main thread, signals do so, too.
    """
    try:
        return _investigated(request, console, stopping or Stopping())
    except KitError as error:
        return Investigation(2, redact(with_wanted(error)), redact(error.remedy))


def _investigated(request: Request, console: Console, stopping: Stopping) -> Investigation:
    began = time.monotonic()
    check_numbers(request)
    if request.cwd is not None and not request.cwd.is_dir():
        raise NotebookError(f"There is no folder {request.cwd}", remedy="name a folder for the notebooks to run in")
    wanted = tasks(request.notebooks, request.parameters, request.stack, solved=request.solved)
    with ExitStack() as closing:
        run = closing.enter_context(new_run(request.out, request.name))
        ahead = closing.enter_context(ThreadPoolExecutor(1, thread_name_prefix="kit-ahead"))
        loading = ahead.submit(load_libraries)
        trials = stack(request.stack or DEFAULT_STACK)
        executor = _executor(request, wanted, trials, console, closing)
        loading.result()
        ahead.submit(_load_pages)
        versions = {"name": trials.name, **trials.versions}
        work = _Work(request, run, executor, versions, Progress(console, len(wanted), request.label))
        stopping.add(work)
        with interruptible(stopping):
            with work.progress:
                done = work.all_of(wanted, began)
            result = replace(conclude(done, run.folder, time.monotonic() - began), stopped=work.stopped)
            return _kept(work, result)


def _executor(
    request: Request, wanted: Sequence[Task], trials: Stack, console: Console, closing: ExitStack
) -> Executor:
    """What runs the notebooks; `closing` ends it."""
    given = (request.environ, parameters.pairs(request.parameters))
    if request.executor is not None:
        from kit.notebooks.investigate.cluster.submit import cluster

        if request.log_output:
            found = "What cells print on a cluster is not shown as they run"
            raise NotebookError(found, remedy="leave out --log-output")
        sources = {task.name: task.path for task in wanted}
        return closing.enter_context(cluster(
            request.executor, min(request.jobs or len(wanted), len(wanted)), given, packages(trials), sources,
            with_pair=request.with_pair, own_folder=request.cwd is not None,
        ))
    jobs = min(request.jobs or os.cpu_count() or 1, len(wanted))
    free = closing.enter_context(places(jobs, trials, with_pair=request.with_pair))
    if whose := describe_places(free):
        console.print(printable(redact(whose)), markup=False, soft_wrap=True)
    return Local(free, given)


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
        _refuse_secrets(work.run, work.executor.secrets())
        if work.request.name is None:
            work.run.link_latest()
    except EvidenceError as error:
        return replace(result, exit_code=2, reason=with_wanted(error), remedy=error.remedy, folder=None)
    return result


def _load_pages() -> None:
    from kit.notebooks.investigate import pages

    pages.warm_up()


def interruptible(stopping: Stopping) -> AbstractContextManager[None]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into an orderly end: kernels are killed, notebooks say why, results are saved."""

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.stop(f"the run was ended by {signal.Signals(number).name}")

    # A shell starts background jobs with SIGINT ignored; a SIGINT sent to one is still meant to end it.
    handlers = dict.fromkeys((signal.SIGINT, *processes.ENDING), stop)
    return processes.signal_handlers(handlers, even_ignored=(signal.SIGINT,))


class _Work:
    """The notebooks of one run while they run."""

    def __init__(
        self, request: Request, run: Run, executor: Executor, stack: Mapping[str, str], progress: Progress
    ) -> None:
        self.request, self.run, self.stack, self.progress = request, run, stack, progress
        self.executor = executor
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

    def stop(self, why: str) -> None:
        """Kill all kernels; the notebooks record `why`."""
        self.stopped = self.stopped or why
        for pid, mark in tuple(self.kernels):
            processes.end(pid, mark)

    def _side_by_side(self, tasks: Sequence[Task]) -> list[NotebookRun]:
        if not tasks:
            return []
        with ThreadPoolExecutor(self.executor.at_a_time, thread_name_prefix="kit-notebook") as pool:
            futures = [pool.submit(self._one, task) for task in tasks]
            wait(futures)
            return [future.result() for future in futures]

    def _one(self, task: Task) -> NotebookRun:
        """Run one notebook. Its errors affect only its own result."""
        job = self._job(task)
        try:
            if task.problem is not None:
                raise task.problem
            result = self.executor.run(job, self.run, _Reporter(self, task.name))
        except Exception as error:
            result = could_not_run(job, self.run, self.executor.secrets(), *explained(error))
        self.progress.notebook_ended(result)
        return result

    def _job(self, task: Task) -> Job:
        request = self.request
        return Job(
            name=task.name,
            notebook=nbformat().writes(task.nb),
            parameters=dict(task.parameters),
            folder=str(request.cwd or task.path.parent),
            environ=request.environ,
            pages=tuple(self.names),
            documents=(self.glossary.stem,) if self.glossary else (),
            stack=request.stack,
            timeout_cell_s=request.timeout_cell_s,
            timeout_notebook_s=request.timeout_notebook_s,
            output_cell_bytes=request.output_cell_bytes,
            output_notebook_bytes=request.output_notebook_bytes,
            solved=request.solved,
            fresh=request.fresh,
            log_output=request.log_output,
        )


class _Reporter(Watcher):
    """Forwards the engine's events for one notebook."""

    def __init__(self, work: _Work, name: str) -> None:
        self.work, self.name = work, name
        self.kernel: tuple[int, str] | None = None

    def notebook_started(self, worker: str = "") -> None:
        self.work.progress.notebook_started(self.name, worker)

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
            self.claim_decided(claim)

    def claim_decided(self, claim: Claim) -> None:
        self.work.progress.claim_decided(self.name, claim)

    def stopping(self) -> str:
        return self.work.stopped


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
