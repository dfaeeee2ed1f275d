"""One run: check what was asked, open pairs, run the notebooks side by side, judge them, and keep it all."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from kit import warm
from kit.errors import KitError, NotebookError
from kit.investigate import exercises, parameters, processes, sessions
from kit.investigate.progress import Progress, summary
from kit.investigate.results import Investigation, NotebookRun, conclude, judge
from kit.investigate.scrub import Secrets
from kit.investigate.watching import Watcher
from kit.notebook import STACK_VARIABLE
from kit.probes.redact import learn_all, redact
from kit.runner import usable_cpus
from kit.seat import base_environ
from kit.stacks import Stack, stack
from kit.store import EVIDENCE, FRESH_VARIABLE, RUN_VARIABLE, SHELF_VARIABLE, Run, new_run

if TYPE_CHECKING:
    from rich.console import Console

    from kit.pair import Pair
    from kit.warm import AnyParent

NOTEBOOKS = Path("notebooks")
STACK_PARAMETER = "stack"
DEFAULT_STACK = "current"
_TEXTS = (".ipynb", ".html", ".json", ".xml")


@dataclass(frozen=True, slots=True)
class Request:
    """What `investigate` was asked for, with the meaning that is said there."""

    notebooks: tuple[Path, ...]
    parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]
    jobs: int | None
    timeout_cell_s: float
    timeout_notebook_s: float
    out: Path
    stack: str | None
    environ: Mapping[str, str]
    with_pair: bool
    solved: bool
    fresh: bool


@dataclass(frozen=True, slots=True)
class _Task:
    """A notebook that has been read, with the parameters that it takes. `last` ones wait for all others."""

    path: Path
    nb: Any = field(repr=False)
    parameters: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def last(self) -> bool:
        return bool(self.nb.metadata.get("kit", {}).get("last", False))


def carry_out(request: Request, console: Console | None = None) -> Investigation:
    """Do what is asked, print it, and return it."""
    from kit.investigate.progress import console as standard_output

    console = console or standard_output()
    learn_all(request.environ)
    given = request.parameters
    for name, value in given.items() if isinstance(given, Mapping) else given:
        learn_all({name: value})
    try:
        result = _investigated(request, console)
    except KitError as error:
        remedy = "; ".join(part for part in (error.wanted and f"wanted: {error.wanted}", error.remedy) if part)
        result = Investigation(2, redact(error.found), redact(remedy))
    summary(result, console)
    return result


def _investigated(request: Request, console: Console) -> Investigation:
    began = time.monotonic()
    tasks = _tasks(request)
    jobs = min(request.jobs or os.cpu_count() or 1, len(tasks))
    with ExitStack() as closing:
        ahead = closing.enter_context(ThreadPoolExecutor(1, thread_name_prefix="kit-ahead"))
        loading = ahead.submit(_load_papermill)
        trials = stack(request.stack or DEFAULT_STACK)
        places = closing.enter_context(_places(jobs, request, trials))
        loading.result()
        ahead.submit(_load_pages)
        run = new_run(request.out)
        versions = {"name": trials.name, **trials.versions}
        work = _Work(request, run, places, versions, Progress(console, len(tasks)))
        with work.progress, _interruptible(work):
            done = work.all_of(tasks, began)
    result = conclude(done, run.folder, time.monotonic() - began)
    _keep(run, result, versions)
    _refuse_secrets(run, work.secrets)
    run.point_latest_here()
    return result


def _tasks(request: Request) -> list[_Task]:
    """Read the notebooks and check the parameters. NotebookError before anything has started."""
    given = parameters.pairs(request.parameters)
    if request.stack is not None and STACK_PARAMETER in given:
        raise NotebookError("The stack is given twice", remedy="give --stack, or the parameter stack, not both")
    notebooks = [(path, _read(path)) for path in _paths(request.notebooks)]
    names = [path.stem for path, _ in notebooks]
    for name in names:
        if names.count(name) > 1:
            raise NotebookError(f"Two notebooks are called {name}", remedy="run one after the other, or rename one")
    known = {path.name: parameters.declared(nb) for path, nb in notebooks}
    values = parameters.check(given, known)
    for path, nb in notebooks:
        if request.stack is not None and STACK_PARAMETER in known[path.name]:
            values[path.name][STACK_PARAMETER] = request.stack
        if request.solved:
            exercises.put_solutions_in(nb)
    return [_Task(path, nb, values[path.name]) for path, nb in notebooks]


def _paths(asked: Sequence[Path]) -> list[Path]:
    """Return absolute paths; all of `notebooks` when none is asked for, save those that begin with an underscore."""
    if not asked:
        found = sorted(path for path in NOTEBOOKS.glob("*.ipynb") if not path.name.startswith("_"))
        if not found:
            raise NotebookError(f"There is no notebook in {NOTEBOOKS.resolve()}", remedy="name one")
        return [path.resolve() for path in found]
    for path in asked:
        if not path.is_file():
            raise NotebookError(f"There is no notebook {path}", remedy="correct the path")
    return [path.resolve() for path in asked]


def _read(path: Path) -> Any:
    nbformat = _nbformat()
    try:
        nb = nbformat.v4.upgrade(nbformat.read(path, as_version=4))
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, KeyError, UnicodeDecodeError) as error:
        raise NotebookError(f"{path} is no notebook: {str(error).splitlines()[0]}", remedy="open and save it") from None
    if nb.metadata.get("kernelspec", {}).get("language", "python") != "python":
        raise NotebookError(f"{path.name} is not written in Python", remedy="run it with plain papermill")
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nb


def _nbformat() -> Any:
    """Import nbformat without the grammar of international URLs, which costs a second and which it never uses."""
    with _without("rfc3987_syntax"):
        import nbformat
    return nbformat


@contextmanager
def _without(module: str) -> Iterator[None]:
    # What optionally imports `module` takes it as absent; what imports it later finds it as ever.
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


def _load_papermill() -> None:
    _nbformat()
    import papermill  # noqa: F401
    from papermill.engines import papermill_engines

    from kit.investigate.engine import KitEngine

    papermill_engines.register("kit", KitEngine)


def _load_pages() -> None:
    from kit.investigate import pages

    pages.warm_up()


class _Place:
    """Where one notebook runs at a time: its pair, and the parents of its trials, which are lent to its kernel."""

    def __init__(self, pair: Pair | None, trials: Stack) -> None:
        self.pair, self._python = pair, str(trials.python)
        self._parents: list[AnyParent] = []
        if pair is not None:
            self._fill()  # they import their libraries while the notebook is made ready

    def environ(self) -> dict[str, str]:
        """What a kernel is told of this place."""
        if self.pair is None:
            return {}
        self._parents = [parent for parent in self._parents if parent.alive()]
        self._fill()
        return {**self.pair.environ(), warm.LENT_VARIABLE: warm.lend(self._parents)}

    def close(self) -> None:
        for parent in self._parents:
            warm.give_back(parent)

    def _fill(self) -> None:
        while len(self._parents) < usable_cpus():
            self._parents.append(warm.take(self._python, base_environ(self._python)))


@contextmanager
def _places(jobs: int, request: Request, trials: Stack) -> Iterator[list[_Place]]:
    with ExitStack() as closing:
        places = []
        for pair in closing.enter_context(_pairs(jobs, request)):
            places.append(_Place(pair, trials))
            closing.callback(places[-1].close)
        yield places


@contextmanager
def _pairs(jobs: int, request: Request) -> Iterator[list[Pair | None]]:
    """Open a pair for each notebook that may run at a time; take the one that is there, if one is.

    On a pair where trials cannot have databases of their own they would meet, so that one notebook runs at a time.
    """
    if not request.with_pair:
        yield [None] * jobs
        return
    from kit.pair import open_pair, status

    with ExitStack() as closing:
        if "KIT_PRODUCTION_URL" in os.environ or status() is not None:
            pair = closing.enter_context(open_pair())
            apart = pair.writable and all(side.admin is not None for side in pair.sides)
            yield [pair] * (jobs if apart else 1)
        else:
            yield [closing.enter_context(open_pair("embedded")) for _ in range(jobs)]


@contextmanager
def _interruptible(work: _Work) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into an orderly end: kernels die, notebooks say so, and what there is is kept."""

    def stop(number: int, frame: FrameType | None) -> None:
        work.stop(f"the run was ended by {signal.Signals(number).name}")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Work:
    """The notebooks of one run while they run."""

    def __init__(
        self,
        request: Request,
        run: Run,
        places: Sequence[_Place],
        stack: Mapping[str, str],
        progress: Progress,
    ) -> None:
        self.request, self.run, self.stack, self.progress = request, run, stack, progress
        self.places: queue.SimpleQueue[_Place] = queue.SimpleQueue()
        for place in places:
            self.places.put(place)
        self.at_a_time = len(places)
        given = parameters.pairs(request.parameters)
        self.secrets = Secrets.of(request.environ, given, *(place.pair.environ() for place in places if place.pair))
        self.stopped = ""
        self.kernels: set[tuple[int, str]] = set()

    def all_of(self, tasks: Sequence[_Task], began: float) -> list[NotebookRun]:
        first = [task for task in tasks if not task.last]
        done = self._side_by_side(first)
        if len(first) < len(tasks):
            # The last ones read what the others found.
            _keep_findings(self.run, conclude(done, self.run.folder, time.monotonic() - began), self.stack)
            done += self._side_by_side([task for task in tasks if task.last])
        order = [task.name for task in tasks]
        return sorted(done, key=lambda run: order.index(run.name))

    def stop(self, why: str) -> None:
        """End all kernels; the notebooks say `why`."""
        self.stopped = self.stopped or why
        for pid, mark in tuple(self.kernels):
            processes.end(pid, mark)

    def _side_by_side(self, tasks: Sequence[_Task]) -> list[NotebookRun]:
        if not tasks:
            return []
        with ThreadPoolExecutor(self.at_a_time, thread_name_prefix="kit-notebook") as pool:
            futures = [pool.submit(self._one, task) for task in tasks]
            wait(futures)
            return [future.result() for future in futures]

    def _one(self, task: _Task) -> NotebookRun:
        place = self.places.get()
        try:
            self.progress.notebook_started(task.name)
            self._execute(task, self._environ(place))
            left = [] if place.pair is None else sessions.left_open(place.pair)
        finally:
            self.places.put(place)
        nb = _nbformat().read(self.run.path(f"{task.name}.ipynb"), as_version=4)
        result = judge(task.name, nb, list(map(self.secrets.out_of, left)), solved=self.request.solved)
        from kit.investigate import pages

        self.run.write(result.page, pages.notebook(result, nb))
        self.progress.notebook_ended(result)
        return result

    def _environ(self, place: _Place) -> dict[str, str]:
        environ = dict(self.request.environ)
        # A notebook shows its pictures itself; a CI job may have set a backend that shows none.
        environ.pop("MPLBACKEND", None)
        environ |= {RUN_VARIABLE: str(self.run.folder), SHELF_VARIABLE: str(self.run.shelf.folder)}
        if self.request.stack is not None:
            environ[STACK_VARIABLE] = self.request.stack
        if self.request.fresh:
            environ[FRESH_VARIABLE] = "1"
        return environ | place.environ()

    def _execute(self, task: _Task, environ: Mapping[str, str]) -> None:
        import papermill
        from papermill.exceptions import PapermillExecutionError

        path = self.run.path(f"{task.name}.ipynb")
        prepared = self.run.write(path.name, _nbformat().writes(task.nb))
        # The error is in the saved notebook, where it is read; here it would only say so once more.
        with suppress(PapermillExecutionError):
            papermill.execute_notebook(
                _literal(prepared),
                _literal(path),
                dict(task.parameters),
                engine_name="kit",
                kernel_name="python3",
                language="python",
                progress_bar=False,
                request_save_on_cell_execute=False,
                execution_timeout=self.request.timeout_cell_s,
                timeout_notebook_s=self.request.timeout_notebook_s,
                environ=environ,
                folder=task.path.parent,
                watcher=_Reporter(self, task.name),
            )


class _Reporter(Watcher):
    """Passes on what the engine does with one notebook."""

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
        from kit.investigate.claims import decided_in

        for claim in decided_in(cell):
            self.work.progress.claim_decided(self.name, claim)

    def stopping(self) -> str:
        return self.work.stopped


def _literal(path: Path) -> str:
    """Write a path so that papermill, which formats paths with the parameters, leaves it as it is."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _keep_findings(run: Run, result: Investigation, stack: Mapping[str, str]) -> None:
    from kit.investigate import records

    run.write("findings.json", records.findings(result, stack))


def _keep(run: Run, result: Investigation, stack: Mapping[str, str]) -> None:
    from kit.investigate import pages, records

    _keep_findings(run, result, stack)
    run.write("junit.xml", records.junit(result))
    run.write("index.html", pages.index(result, stack))


def _refuse_secrets(run: Run, secrets: Secrets) -> None:
    """Look through all that is kept. Nothing should be found; what is found is taken out, and is a fault.

    Evidence is an exception: what wrote it may not have known what this process knows.
    """
    found = []
    for path in sorted(run.folder.rglob("*")):
        if path.suffix in _TEXTS and secrets.within(text := path.read_text("utf-8", "replace")):
            run.write(str(path.relative_to(run.folder)), secrets.known.out_of(text))
            found += [path.name] if path.parent.name != EVIDENCE else []
    if found:
        names = ", ".join(found)
        raise NotebookError(f"A password had come into {names}, and was taken out", remedy="report this fault")
