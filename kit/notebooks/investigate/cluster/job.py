"""The process of one notebook on a worker: `python -m kit.notebooks.investigate.cluster.job FOLDER`.

Reads FOLDER/job.json, writes FOLDER/result.json, and prints each event as a line of JSON. It stops the notebook when
its standard input ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from kit import processes
from kit.errors import KitError, NotebookError, StackError
from kit.notebooks.investigate.one import Job, could_not_run, explained, load_libraries, run_notebook
from kit.notebooks.investigate.places import Place
from kit.notebooks.investigate.results import NotebookRun
from kit.notebooks.investigate.scrub import Secrets
from kit.notebooks.investigate.watching import Watcher
from kit.probes.redact import learn_all
from kit.trials.run_folder import Run, new_run
from kit.trials.stacks import packages, stack

UNWANTED = "the worker ended, or the run was stopped"


@dataclass(frozen=True, slots=True)
class Order:
    """A job for a worker. `packages` are those of the job's stack where the run was started.

    `files` are put into the run's folder first. `source` is the notebook's file there, and `digest` its SHA-256. The
    job has no environment: the worker's is used, and that of the machine where the run was started contains passwords.
    """

    job: Job
    with_pair: bool
    packages: Mapping[str, str]
    source: str
    digest: str
    own_folder: bool
    files: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an order: the notebook's run, and the files that it left in the run's folder."""

    run: NotebookRun
    files: Mapping[str, str] = field(repr=False)


class Reporter(Watcher):
    """Prints the events of the notebook, and stops it when this process's input ends."""

    def __init__(self) -> None:
        # Events have the standard output to themselves; what a library prints goes to standard error.
        self._events = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._why = ""
        self._kernel: tuple[int, str] | None = None
        self._lock = threading.Lock()

    def follow_input(self) -> None:
        """Wait, in a thread of its own, for the end of standard input, and stop the notebook then."""
        threading.Thread(target=self._wait, name="kit-input", daemon=True).start()

    def kernel_started(self, pid: int, mark: str) -> None:
        with self._lock:
            self._kernel = (pid, mark)
        if self._why:
            processes.end(pid, mark)

    def kernel_ended(self) -> None:
        with self._lock:
            self._kernel = None

    def cell_started(self, label: str, number: int, count: int) -> None:
        self._say(event="cell", label=label, number=number, count=count)

    def cell_ended(self, cell: Any) -> None:
        from kit.notebooks.investigate.claims import decided_in

        for claim in decided_in(cell):
            self._say(event="claim", claim=claim.to_json())

    def stopping(self) -> str:
        return self._why

    def _wait(self) -> None:
        sys.stdin.buffer.read()
        self._why = UNWANTED
        with self._lock:
            if self._kernel is not None:
                processes.end(*self._kernel)

    def _say(self, **event: Any) -> None:
        print(json.dumps(event), file=self._events, flush=True)


def main(folder: Path) -> None:
    """Carry out the order in the folder."""
    order = msgspec.json.decode((folder / "job.json").read_bytes(), type=Order)
    watcher = Reporter()
    watcher.follow_input()
    learn_all(os.environ)
    with new_run(folder, "run") as run:
        for name, text in order.files.items():
            run.write(name, text)
        done = _done(order, run, folder, watcher)
        left = {str(path.relative_to(run.folder)): path.read_text("utf-8") for path in sorted(_left(run))}
    result = Result(done, {name: text for name, text in left.items() if name not in order.files})
    beside = folder / "result.json.new"
    beside.write_bytes(msgspec.json.encode(result))
    beside.replace(folder / "result.json")


def _left(run: Run) -> list[Path]:
    return [path for path in run.folder.rglob("*") if path.is_file() and not path.name.startswith(".")]


def _done(order: Order, run: Run, folder: Path, watcher: Watcher) -> NotebookRun:
    job = replace(order.job, environ=dict(os.environ))
    given = (os.environ, job.parameters)
    try:
        job, remark = _with_folder(order, job, folder)
        trials = stack(job.stack or "current")
        _compare(order.packages, packages(trials), trials.name)
        load_libraries()
        with closing(Place(trials, own=order.with_pair)) as place:
            done = run_notebook(job, run, place, lambda: Secrets.of(*given, *place.told), watcher)
            return replace(done, remarks=(*done.remarks, *remark))
    except KitError as error:
        return could_not_run(job, run, Secrets.of(*given), *explained(error))


def _with_folder(order: Order, job: Job, folder: Path) -> tuple[Job, list[str]]:
    """The job with a folder that exists here: the notebook's own if it is the same here, else an empty one.

    Raises NotebookError if a folder was named for the run that does not exist here.
    """
    if order.own_folder:
        if not Path(job.folder).is_dir():
            found = f"The worker has no folder {job.folder}"
            raise NotebookError(found, remedy="name one that every worker has, or leave out --cwd")
        return job, []
    source = Path(order.source)
    if source.is_file() and hashlib.sha256(source.read_bytes()).hexdigest() == order.digest:
        return job, []
    empty = folder / "empty"
    empty.mkdir()
    return replace(job, folder=str(empty)), ["It ran in an empty folder, because the worker does not have its own."]


def _compare(wanted: Mapping[str, str], found: Mapping[str, str], name: str) -> None:
    """Raise StackError if a stack has other versions here than where the run was started."""
    both = {**wanted, "python": _minor(wanted["python"])}, {**found, "python": _minor(found["python"])}
    names = sorted(both[0].keys() | both[1].keys())
    differing = [one for one in names if both[0].get(one) != both[1].get(one)]
    if differing:
        first = differing[0]
        raise StackError(
            f"The stack {name} is another one on the worker: {first} {both[1].get(first, 'is missing')}",
            wanted=f"{first} {both[0].get(first, 'missing')}, as where the run was started"
            + (f", and {len(differing) - 1} more packages" if len(differing) > 1 else ""),
            remedy="install the same versions on the workers as there",
        )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
