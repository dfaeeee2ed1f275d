"""A Dask cluster of real processes: a scheduler, and workers that join, stop, hang and die."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

DASK = [sys.executable, "-m", "dask"]
WORKER_TTL_S = 6


class Cluster:
    """A scheduler on a free port, and its workers by their addresses. Everything ends with the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._file = folder / "scheduler.json"
        self._environ = {
            **os.environ,
            # A worker that says nothing for this long counts as lost; five minutes by default.
            "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{WORKER_TTL_S}s",
            # The kit that the cluster has is another one, which nothing may use.
            "PYTHONPATH": str(folder / "other"),
        }

    def __enter__(self) -> Self:
        other = self.folder / "other" / "kit"
        other.mkdir(parents=True)
        (other / "__init__.py").write_text("raise ImportError('this is not the kit of the run')\n")
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.address = str(json.loads(appeared(self._file))["address"])
        return self

    def __exit__(self, *error: object) -> None:
        # A worker that is asked to end while its scheduler ends may wait for it without end.
        for process in [*self.workers.values(), self.scheduler]:
            process.kill()
        for process in [*self.workers.values(), self.scheduler]:
            process.wait()

    @property
    def executor(self) -> str:
        """The scheduler, as `--executor` takes it."""
        return self.address.replace("tcp://", "dask://")

    def join(self) -> str:
        """Start a worker for one notebook at a time; return its address once the scheduler knows it."""
        from distributed import Client

        process = self._start(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1",
            "--local-directory", str(self.folder / f"worker-{len(self.workers)}"),
        )
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(len(self.workers) + 1, timeout=60)
            (address,) = set(client.scheduler_info(n_workers=-1)["workers"]) - set(self.workers)
        self.workers[address] = process
        return address

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        file = ["--scheduler-file", str(self._file)] if what == "scheduler" else []
        with (self.folder / f"{what}-{len(self.workers)}.log").open("wb") as log:
            return subprocess.Popen(
                [*DASK, what, *options, *file], env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )


def appeared(path: Path) -> str:
    """The text of a file, as soon as there is one."""
    while not (path.exists() and (text := path.read_text())):
        time.sleep(0.05)
    return text
