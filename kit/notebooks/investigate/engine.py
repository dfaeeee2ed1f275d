"""A papermill engine that enforces limits by killing the kernel, and saves the true state of the notebook.

It is registered under the name `kit` (entry point group `papermill.engine`), so `papermill --engine kit` uses it, too.
papermill injects the parameters and saves the notebook; this engine runs the cells.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from papermill.engines import Engine
from papermill.log import logger

from kit.notebooks.investigate import (
    OUTPUT_CELL_BYTES,
    OUTPUT_NOTEBOOK_BYTES,
    TIMEOUT_CELL_S,
    TIMEOUT_NOTEBOOK_S,
    saved,
)
from kit.notebooks.investigate.kernels import CellStopped, Kernel, KernelFailed, check_name
from kit.notebooks.investigate.outputs import Amount, Echo
from kit.notebooks.investigate.saving import SavingManager
from kit.notebooks.investigate.scrub import Secrets
from kit.notebooks.investigate.watching import Watcher
from kit.report.printable import shortened

TIMEOUT_START_S = 60.0
REASON_AT_MOST = 2000  # characters of the sentence that says why a notebook could not run
TIMEOUT_LAST_LOOK_S = 10.0
_INTERRUPTED = ("Interrupted", "the run was interrupted")
STARTS = 3
"""How often a kernel is started before its notebook counts as one that could not run. No cell has run by then."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits for a cell, a whole notebook and the start of a kernel, in seconds of wall time."""

    cell_s: float = TIMEOUT_CELL_S
    notebook_s: float = TIMEOUT_NOTEBOOK_S
    start_s: float = TIMEOUT_START_S


class KitEngine(Engine):  # type: ignore[misc]
    """Runs every code cell in a kernel of the kit's own interpreter; kills the kernel with all its processes."""

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: Any = True,
        log_output: bool = False,
        autosave_cell_every: float = 30,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
        save_to: Path | None = None,
        told_later: Callable[[], Sequence[Mapping[str, Any]]] = tuple,
        **options: Any,
    ) -> Any:
        """Run a notebook in place and return it. Raises NotebookError if it names a kernel of another interpreter.

        The kernel runs in `folder` (default: the working directory) with `environ` (default: this process's). The
        notebook is saved at every cell, as papermill does, without secrets, to `save_to` or else to `output_path`.
        `told_later` returns the variables that the kernel has learnt since its start, which may contain secrets, too.
        """
        check_name(kernel_name)
        environ, folder = dict(os.environ if environ is None else environ), folder or Path.cwd()
        parameters = nb.metadata.get("papermill", {}).get("parameters", {})
        nb_man = SavingManager(
            nb,
            Secrets.of(environ, parameters, folders=(folder,), nb=nb),
            told_later,
            output_path=output_path if save_to is None else str(save_to),
            progress_bar=progress_bar,
            log_output=log_output,
            autosave_cell_every=autosave_cell_every,
        )
        nb_man.notebook_start()
        try:
            cls.execute_managed_notebook(
                nb_man, kernel_name, log_output=log_output, environ=environ, folder=folder, **options
            )
        finally:
            nb_man.cleanup_pbar()
            nb_man.notebook_complete()
        return nb_man.nb

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        environ: Mapping[str, str],
        folder: Path,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        execution_timeout: float | None = None,
        start_timeout: float = TIMEOUT_START_S,
        timeout_notebook_s: float = TIMEOUT_NOTEBOOK_S,
        output_cell_bytes: int = OUTPUT_CELL_BYTES,
        output_notebook_bytes: int = OUTPUT_NOTEBOOK_BYTES,
        watcher: Watcher | None = None,
        **unused: Any,
    ) -> None:
        """Run the cells. Errors of the notebook are not raised but written into it, where papermill finds them.

        `execution_timeout` is papermill's name for the limit per cell.
        """
        def clean(text: str, before: str) -> str:
            return str(nb_man.secrets.out_of(text, before))

        execution = _Execution(
            nb_man,
            Limits(execution_timeout or TIMEOUT_CELL_S, timeout_notebook_s, start_timeout),
            environ,
            folder,
            watcher or Watcher(),
            Amount(output_cell_bytes, output_notebook_bytes),
            Echo(clean, logger if log_output else None, stdout_file, stderr_file),
        )
        _run_to_its_end(execution.run)


def _run_to_its_end(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to completion; in another thread if this one already runs an event loop, as a notebook does."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work())
    else:
        with ThreadPoolExecutor(1, thread_name_prefix="kit-engine") as pool:
            pool.submit(asyncio.run, work()).result()


@dataclass(slots=True)
class _Execution:
    nb_man: Any
    limits: Limits
    environ: Mapping[str, str]
    folder: Path
    watcher: Watcher
    amount: Amount
    echo: Echo
    began: float = field(default_factory=time.monotonic)
    ran: set[int] = field(default_factory=set)
    stopped_at: int | None = None
    error: str = ""
    reason: str = ""
    held_secrets: set[int] = field(default_factory=set)

    async def run(self) -> None:
        lost: list[str] = []
        running: list[str] = []
        try:
            kernel = await self._start()
            try:
                await self._run_cells(kernel)
                running = kernel.still_running()
                lost = await self._lost_errors(kernel)
            finally:
                await kernel.end()
                self.watcher.kernel_ended()
        except KernelFailed as failure:
            why = self.watcher.stopping()
            self._not_started("Interrupted" if why else "KernelNotStarted", why or str(failure))
        except asyncio.CancelledError:
            if self.stopped_at is None:
                self._not_started(*_INTERRUPTED)
            raise
        finally:
            self._write(lost, running)

    async def _start(self) -> Kernel:
        # A kernel that does not start is a fault of the machine. This is the only step that is retried.
        for attempt in range(1, STARTS + 1):
            if why := self.watcher.stopping():
                raise KernelFailed(why)
            try:
                kernel = await Kernel.start(
                    self.nb_man.nb, self.folder, self.environ, self.limits.start_s, self.amount, self._wrote
                )
            except KernelFailed:
                if attempt == STARTS:
                    raise
            else:
                self.watcher.kernel_started(kernel.pid, kernel.mark)
                return kernel
        raise AssertionError("unreachable")

    def _wrote(self, message: Any, cell: Any) -> None:
        self.echo.take(message)
        self.nb_man.autosave_cell()

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
            except asyncio.CancelledError:
                self._stopped(cell, index, CellStopped(*_INTERRUPTED))
                raise
            finally:
                self.echo.end_cell()
                saved.join_streams(cell)
                if self.nb_man.secrets.out_of_outputs(cell):
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
        # A kernel that was killed by the kit looks dead from here; the watcher knows why it was killed.
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
                async with asyncio.timeout(TIMEOUT_LAST_LOOK_S):
                    await kernel.last_look()
                    await kernel.describe()
            except Exception as failure:
                # A kernel that cannot be asked for lost errors may have some.
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
        secrets = self.nb_man.secrets
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
        self.nb_man.complete()


def _short(secrets: Secrets, text: str) -> str:
    """Return a sentence without secrets, shortened; secrets are removed first, so that none is cut in half."""
    return shortened(secrets.out_of(shortened(text, 10 * REASON_AT_MOST)), REASON_AT_MOST)
