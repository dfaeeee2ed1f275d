"""Send the notebooks of a run to a Dask cluster, hear how far they are, and write what comes back."""

from __future__ import annotations

import hashlib
import logging
import secrets as random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from kit.errors import NotebookError
from kit.notebooks.cells import Claim
from kit.notebooks.investigate.cluster.job import Order, Result
from kit.notebooks.investigate.cluster.wheel import wheel
from kit.notebooks.investigate.one import Job, Stopped
from kit.notebooks.investigate.results import NotebookRun
from kit.notebooks.investigate.scrub import Secrets
from kit.notebooks.investigate.watching import Watcher
from kit.trials.run_folder import CLAIMS, Run
from kit.typed import typed

SCHEME = "dask://"
BESIDE_S = 1200.0
"""Seconds that a notebook's process may take beside the notebook: a stack is installed, servers start and end."""
_CONNECT_S = 10
_LOOK_S = 0.5
_INSTALL = 'pip install "fastapi-database-isolation-kit[dask]"'


def address_of(executor: str) -> str:
    """The scheduler's address, for Dask. Raises NotebookError if the executor is not dask://HOST:PORT."""
    place = executor.removeprefix(SCHEME)
    host, _, port = place.rpartition(":")
    if not executor.startswith(SCHEME) or not host or not port.isdigit():
        raise NotebookError(f"The executor is {executor!r}", wanted=f"{SCHEME}HOST:PORT, the address of a scheduler")
    return f"tcp://{place}"


@contextmanager
def cluster(
    executor: str, count: int, given: Sequence[Mapping[str, Any]], packages: Mapping[str, str],
    sources: Mapping[str, Path], *, with_pair: bool, own_folder: bool,
) -> Iterator[Cluster]:
    """A connection to the scheduler for the notebooks of one run. `sources` has the file of each.

    Raises NotebookError if nothing answers there, and when `distributed` is not installed.
    """
    address = address_of(executor)
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise NotebookError(f"{error.name} is not installed", remedy=_INSTALL) from None
    logging.getLogger("distributed").setLevel(logging.ERROR)  # a lost connection is reported with its notebook
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError):
        remedy = "start one (dask scheduler), or correct --executor"
        raise NotebookError(f"No Dask scheduler answers at {executor.removeprefix(SCHEME)}", remedy=remedy) from None
    try:
        yield Cluster(client, count, given, packages, sources, with_pair=with_pair, own_folder=own_folder)
    finally:
        client.close()


class Cluster:
    """Runs each job as a task of a Dask cluster. A job whose worker is lost is run again by another one."""

    def __init__(
        self, client: Any, count: int, given: Sequence[Mapping[str, Any]], packages: Mapping[str, str],
        sources: Mapping[str, Path], *, with_pair: bool, own_folder: bool,
    ) -> None:
        import cloudpickle

        from kit.notebooks.investigate.cluster import on_worker

        self.at_a_time = count
        self._client, self._given, self._packages = client, given, packages
        self._with_pair, self._own_folder, self._sources = with_pair, own_folder, sources
        cloudpickle.register_pickle_by_value(on_worker)
        self._carry_out = _by_value(on_worker.carry_out)
        self._id = random.token_hex(8)
        self._topic = f"kit-{self._id}"
        code = wheel()
        self._digest = hashlib.sha256(code).hexdigest()
        self._code = client.submit(_by_value(on_worker.given), code, key=f"kit-code-{self._id}", pure=False)
        self._heard: dict[str, Heard] = {}
        client.subscribe_topic(self._topic, self._hear)

    def run(self, job: Job, run: Run, watcher: Watcher) -> NotebookRun:
        """Run a notebook on a worker. Raises NotebookError if none could, Stopped if the run was stopped first."""
        self._heard[job.name] = Heard(watcher)
        future = self._client.submit(
            self._carry_out, self._code, self._digest, self._order(job, run), self._topic, job.name,
            job.timeout_notebook_s + BESIDE_S, key=(f"kit-notebook-{self._id}", job.name), pure=False,
        )
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        try:
            while not done.wait(_LOOK_S):
                if why := watcher.stopping():
                    future.cancel()
                    raise Stopped(why)
            result = typed(msgspec.json.decode(self._result(future)), Result)
        finally:
            self._heard[job.name].close()
        for name, text in result.files.items():
            _write(run, name, text)
        return result.run

    def secrets(self) -> Secrets:
        """The secrets of this machine. Those of a worker were removed there."""
        return Secrets.of(*self._given)

    def _order(self, job: Job, run: Run) -> str:
        claims = run.path(CLAIMS)
        source = self._sources[job.name]
        order = Order(
            replace(job, environ={}), self._with_pair, self._packages, str(source),
            hashlib.sha256(source.read_bytes()).hexdigest(), self._own_folder,
            {CLAIMS: claims.read_text("utf-8")} if claims.exists() else {},
        )
        return msgspec.json.encode(order).decode()

    def _result(self, future: Any) -> str:
        try:
            return str(future.result())
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            remedy = "look at the log of the workers; they need what the kit's extra notebooks installs"
            raise NotebookError(f"The cluster did not run it: {said[:1000]}", remedy=remedy) from error

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        message = event[1]
        self._heard[message["notebook"]].hear(message)


def _by_value(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is sent as code. One with a name in a module would be sent as that name, and found, if at all, in
    the kit that the worker happens to have."""

    def there(*arguments: Any) -> Any:
        return function(*arguments)

    return there


class Heard:
    """Hands the events of a notebook on: those of its latest attempt only, and none after its end."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher, self._attempt, self._closed = watcher, "", False
        self._lock = threading.Lock()

    def close(self) -> None:
        """Hand no further event on. Events may arrive after the result."""
        with self._lock:
            self._closed = True

    def hear(self, message: Mapping[str, Any]) -> None:
        """Hand an event on."""
        with self._lock:
            if self._closed:
                return
            if message["event"] == "started":
                self._attempt = message["attempt"]
                self._watcher.notebook_started(message["worker"])
            elif message["attempt"] == self._attempt and message["event"] == "cell":
                self._watcher.cell_started(message["label"], message["number"], message["count"])
            elif message["attempt"] == self._attempt:
                self._watcher.claim_decided(typed(message["claim"], Claim))


def _write(run: Run, name: str, text: str) -> None:
    """Write a file that a worker sent, if its name stays in the run's folder. Evidence that is there stays."""
    path = (run.folder / name).resolve()
    if not path.is_relative_to(run.folder):
        raise NotebookError(f"A worker sent the file {name}, which is outside of the run's folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent == run.folder or not path.exists():
        run.write(name, text)
