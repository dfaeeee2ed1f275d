"""A papermill engine that kills at its limits and saves the truth.

It is registered under the name `kit` (entry point group `papermill.engine`), so that `papermill --engine kit` has it
too. papermill puts the parameters in and saves the notebook; this engine runs the cells.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from papermill.engines import Engine

from kit.investigate import TIMEOUT_CELL_S, TIMEOUT_NOTEBOOK_S, saved
from kit.investigate.kernels import CellStopped, Kernel, KernelFailed
from kit.investigate.scrub import Secrets
from kit.investigate.watching import Watcher
from kit.report.printable import shortened

TIMEOUT_START_S = 60.0
REASON_AT_MOST = 2000  # characters, in the sentence that says why a notebook could not run
TIMEOUT_LAST_LOOK_S = 10.0
STARTS = 3
"""How often a kernel is started before its notebook counts as one that could not run. No cell has run by then."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a cell, a whole notebook and the start of a kernel may take, in seconds of wall time."""

    cell_s: float = TIMEOUT_CELL_S
    notebook_s: float = TIMEOUT_NOTEBOOK_S
    start_s: float = TIMEOUT_START_S


class KitEngine(Engine):  # type: ignore[misc]
    """Runs every code cell in a kernel of the interpreter that runs the kit; ends the kernel with all its processes."""

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """Return `python3`: whatever the notebook names, the kernel is the kit's own interpreter."""
        return "python3"

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """Return `python`."""
        return "python"

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, output_path: str | None = None, **options: Any) -> Any:
        """Run a notebook in place and return it. Nothing is saved on the way: a password may not be out of it yet."""
        return super().execute_notebook(nb, kernel_name, output_path=None, **options)

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        execution_timeout: float | None = None,
        start_timeout: float = TIMEOUT_START_S,
        timeout_notebook_s: float = TIMEOUT_NOTEBOOK_S,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
        watcher: Watcher | None = None,
        **unused: Any,
    ) -> None:
        """Run the cells. What a notebook does wrong is not raised but written into it, where papermill finds it.

        `execution_timeout` is papermill's name for the limit per cell. The kernel runs in `folder`, by default the
        working directory, with `environ`, by default this process's.
        """
        limits = Limits(execution_timeout or TIMEOUT_CELL_S, timeout_notebook_s, start_timeout)
        environ = dict(os.environ if environ is None else environ)
        execution = _Execution(nb_man, limits, environ, folder or Path.cwd(), watcher or Watcher())
        asyncio.run(execution.run())


@dataclass(slots=True)
class _Execution:
    nb_man: Any
    limits: Limits
    environ: dict[str, str]
    folder: Path
    watcher: Watcher
    began: float = field(default_factory=time.monotonic)
    ran: set[int] = field(default_factory=set)
    stopped_at: int | None = None
    error: str = ""
    reason: str = ""
    held_secrets: set[int] = field(default_factory=set)
    secrets: Secrets = field(init=False)

    def __post_init__(self) -> None:
        parameters = self.nb_man.nb.metadata.get("papermill", {}).get("parameters", {})
        self.secrets = Secrets.of(self.environ, parameters, folders=(self.folder,), nb=self.nb_man.nb)

    async def run(self) -> None:
        lost: list[str] = []
        running: list[str] = []
        try:
            kernel = await self._start()
        except KernelFailed as failure:
            why = self.watcher.stopping()
            self._not_started("Interrupted" if why else "KernelNotStarted", why or str(failure))
        else:
            try:
                await self._run_cells(kernel)
                running = kernel.still_running()
                lost = await self._lost_errors(kernel)
            finally:
                await kernel.end()
                self.watcher.kernel_ended()
        self._write(lost, running)

    async def _start(self) -> Kernel:
        # A kernel that does not start is a fault of the machine. It is the only thing that is ever tried again.
        for attempt in range(1, STARTS + 1):
            if why := self.watcher.stopping():
                raise KernelFailed(why)
            try:
                kernel = await Kernel.start(self.nb_man.nb, self.folder, self.environ, self.limits.start_s)
            except KernelFailed:
                if attempt == STARTS:
                    raise
            else:
                self.watcher.kernel_started(kernel.pid, kernel.mark)
                return kernel
        raise AssertionError("unreachable")

    async def _run_cells(self, kernel: Kernel) -> None:
        nb = self.nb_man.nb
        positions = saved.code_cells(nb)
        for number, index in enumerate(positions, 1):
            cell = nb.cells[index]
            self.watcher.cell_started(saved.label(nb, index), number, len(positions))
            self.nb_man.cell_start(cell, index)
            try:
                await self._run_cell(kernel, cell, index)
                self.ran.add(index)
            except CellStopped as stop:
                self._stopped(cell, index, stop)
                return
            finally:
                saved.join_streams(cell)
                if self.secrets.out_of_outputs(cell):
                    self.held_secrets.add(index)
                self.nb_man.cell_complete(cell, index)
                self.watcher.cell_ended(cell)

    async def _run_cell(self, kernel: Kernel, cell: Any, index: int) -> None:
        if why := self.watcher.stopping():
            raise CellStopped("Interrupted", why)
        if "skip-execution" in cell.metadata.get("tags", []):
            raise CellStopped("CellSkipped", "the tag skip-execution keeps it from running, and every cell must run")
        left_s = self.began + self.limits.notebook_s - time.monotonic()
        try:
            await kernel.run(cell, index, max(0.0, min(self.limits.cell_s, left_s)))
        except TimeoutError:
            if left_s < self.limits.cell_s:
                took = f"the notebook took longer than its limit of {self.limits.notebook_s:g} s"
                raise CellStopped("NotebookTimeLimit", f"{took}, so its kernel was killed") from None
            took = f"the cell took longer than its limit of {self.limits.cell_s:g} s"
            raise CellStopped("CellTimeLimit", f"{took}, so its kernel was killed") from None

    def _stopped(self, cell: Any, index: int, stop: CellStopped) -> None:
        # A kernel that was killed from outside looks dead from here; the one who killed it knows why.
        why = self.watcher.stopping()
        name, reason = ("Interrupted", why) if why and stop.name == "KernelDied" else (stop.name, stop.reason)
        if name == "SystemExit":
            name, reason = "NotebookLeft", f"the cell left the notebook with exit code {stop.reason or 0}"
        if not any(output.output_type == "error" and output.ename == name for output in cell.outputs):
            saved.add_error(cell, name, reason)
        self.nb_man.cell_exception(cell, index)
        self.stopped_at, self.error, self.reason = index, name, reason

    async def _lost_errors(self, kernel: Kernel) -> list[str]:
        if kernel.alive:
            try:
                await asyncio.wait_for(kernel.last_look(), TIMEOUT_LAST_LOOK_S)
            except Exception as failure:
                # A kernel in which one cannot look for lost errors may have some.
                return [f"the kernel could not be asked for lost errors: {type(failure).__name__} {failure}".strip()]
        return kernel.lost_errors()

    def _not_started(self, name: str, why: str) -> None:
        cells = self.nb_man.nb.cells
        self.error, self.reason = name, why
        for index in saved.code_cells(self.nb_man.nb)[:1]:
            saved.add_error(cells[index], self.error, why)
            self.nb_man.cell_exception(cells[index], index)

    def _write(self, lost: list[str], running: list[str]) -> None:
        nb = self.nb_man.nb
        positions = saved.code_cells(nb)
        if lost and not self.error:
            self.error, self.reason = "LostError", "; ".join(lost)
            saved.add_error(nb.cells[positions[-1]], self.error, self.reason)
        for place in ("input_path", "output_path"):
            # Where a run was made is nobody's business who reads it.
            nb.metadata.papermill[place] = Path(nb.metadata.papermill.get(place) or "").name
        secrets = self.secrets
        held = sorted({*self.held_secrets, *secrets.out_of_notebook(nb)})
        outcome = saved.Outcome(
            cells=len(positions),
            ran=len(self.ran),
            seconds=round(time.monotonic() - self.began, 3),
            stopped_at=None if self.stopped_at is None else saved.label(nb, self.stopped_at),
            error=shortened(secrets.out_of(self.error), REASON_AT_MOST),
            reason=_short(secrets, self.reason),
            never_ran=tuple(saved.label(nb, i) for i in positions if i not in self.ran and i != self.stopped_at),
            lost_errors=tuple(_short(secrets, line) for line in lost),
            still_running=tuple(_short(secrets, line) for line in running),
            secrets_in=tuple(saved.label(nb, i) for i in held),
        )
        saved.write_outcome(nb, outcome)


def _short(secrets: Secrets, text: str) -> str:
    """Return a sentence without secrets and not without end; none is cut in half."""
    return shortened(secrets.out_of(shortened(text, 10 * REASON_AT_MOST)), REASON_AT_MOST)
