"""Where the notebooks of a run are run: on this machine, at its places, or elsewhere."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kit.notebooks.investigate.one import Job, run_notebook
from kit.notebooks.investigate.places import Place
from kit.notebooks.investigate.results import NotebookRun
from kit.notebooks.investigate.scrub import Secrets
from kit.notebooks.investigate.watching import Watcher
from kit.trials.run_folder import Run


class Executor(Protocol):
    """Runs jobs. `at_a_time` is the number of threads in which it is called."""

    at_a_time: int

    def run(self, job: Job, run: Run, watcher: Watcher) -> NotebookRun:
        """Run a notebook, and write what it leaves into the run's folder. Raises what prevented it."""

    def secrets(self) -> Secrets:
        """The secrets that the notebooks' outputs may contain, as far as they are known on this machine."""


class Local:
    """Runs each job in a kernel of this machine, at a place that is free."""

    def __init__(self, places: Sequence[Place], given: Sequence[Mapping[str, Any]]) -> None:
        self.at_a_time = len(places)
        self._places, self._given = places, given
        self._free: queue.SimpleQueue[Place] = queue.SimpleQueue()
        for place in places:
            self._free.put(place)

    def run(self, job: Job, run: Run, watcher: Watcher) -> NotebookRun:
        """Run a notebook as soon as a place is free."""
        place = self._free.get()
        try:
            watcher.notebook_started()
            return run_notebook(job, run, place, self.secrets, watcher)
        finally:
            self._free.put(place)

    def secrets(self) -> Secrets:
        """The secrets in the environments, parameters and pairs of the notebooks."""
        return Secrets.of(*self._given, *(told for place in self._places for told in place.told))
