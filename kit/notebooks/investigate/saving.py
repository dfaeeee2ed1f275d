"""Save an executed notebook: atomically, without secrets, and marked as incomplete until it is complete."""

from __future__ import annotations

import copy
import os
import secrets as random
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from papermill.engines import NotebookExecutionManager
from papermill.iorw import LocalHandler, papermill_io, write_ipynb

from kit.notebooks.investigate import saved
from kit.notebooks.investigate.scrub import Secrets

_OF_THE_RUN = ("start_time", "end_time", "duration", "exception")


class SavingManager(NotebookExecutionManager):  # type: ignore[misc]
    """papermill's manager, which decides when to save. Notebooks saved before the end are marked as incomplete."""

    def __init__(
        self, nb: Any, secrets: Secrets, told_later: Callable[[], Sequence[Mapping[str, Any]]] = tuple, **options: Any
    ) -> None:
        super().__init__(nb, **options)
        self._secrets, self._told_later, self._told = secrets, told_later, 0
        for place in ("input_path", "output_path"):
            # Readers of a run need not learn its path. A notebook may be given instead of a path.
            named = nb.metadata.papermill.get(place)
            nb.metadata.papermill[place] = Path(named).name if isinstance(named, str) else ""
        self._running: int | None = None
        self._clean: Any = copy.deepcopy(nb)
        secrets.out_of_notebook(self._clean)

    @property
    def secrets(self) -> Secrets:
        """What to remove: also what the kernel has been told since its start."""
        told = self._told_later()
        if len(told) > self._told:
            self._secrets, self._told = self._secrets.and_of(*told), len(told)
        return self._secrets

    def complete(self) -> None:
        """From now on save the notebook itself, which has its outcome and no secrets."""
        self._clean = None

    def save(self, **_: Any) -> None:
        """Save the present state of the notebook, if it has an output path."""
        if self.output_path:
            write_whole(self.nb if self._clean is None else self._unfinished(), self.output_path)
        self.last_save_time = self.now()

    def cell_start(self, cell: Any, cell_index: int | None = None, **more: Any) -> None:
        """A cell begins."""
        self._running = cell_index
        super().cell_start(cell, cell_index, **more)

    def cell_complete(self, cell: Any, cell_index: int | None = None, **more: Any) -> None:
        """A cell has finished, successfully or not; its outputs have no secrets."""
        self._running = None
        super().cell_complete(cell, cell_index, **more)

    def _unfinished(self) -> Any:
        for index, (mine, cell) in enumerate(zip(self._clean.cells, self.nb.cells, strict=True)):
            mine.metadata.papermill = cell.metadata.papermill
            if cell.cell_type == "code":
                mine.execution_count = cell.execution_count
                mine.outputs = self._outputs_so_far(cell) if index == self._running else cell.outputs
        run = self.nb.metadata.papermill
        self._clean.metadata.papermill.update({name: run[name] for name in _OF_THE_RUN if name in run})
        shown = copy.copy(self._clean)
        shown.cells = list(self._clean.cells)
        saved.write_outcome(shown, self._outcome(shown))
        return shown

    def _outputs_so_far(self, cell: Any) -> Any:
        part = copy.copy(cell)
        part.outputs = copy.deepcopy(cell.outputs)
        saved.join_streams(part)
        self.secrets.out_of_outputs(part)
        return part.outputs

    def _outcome(self, nb: Any) -> saved.Outcome:
        positions = saved.code_cells(nb)
        status = {index: nb.cells[index].metadata.papermill.status for index in positions}
        return saved.Outcome(
            cells=len(positions),
            ran=sum(one == self.COMPLETED for one in status.values()),
            seconds=round((self.now() - self.start_time).total_seconds(), 3),
            stopped_at=None if self._running is None else saved.label(nb, self._running),
            error=saved.UNFINISHED,
            reason="it was still running when this was saved",
            never_ran=tuple(saved.label(nb, index) for index in positions if status[index] == self.PENDING),
        )


def write_whole(nb: Any, path: str) -> None:
    """Write a notebook where papermill would, but replace a local file atomically."""
    handler = papermill_io.get_handler(path)
    target = Path(os.path.realpath(os.path.join(getattr(handler, "_cwd", None) or "", path)))
    if not isinstance(handler, LocalHandler) or (target.exists() and not target.is_file()):
        write_ipynb(nb, path)
        return
    beside = target.with_name(f".{random.token_hex(4)}.{target.name}")
    try:
        write_ipynb(nb, str(beside))
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)
    finally:
        with suppress(FileNotFoundError):  # it has been renamed
            beside.unlink()
