"""What a notebook records when its folder belongs to a seat of a class: what was opened, predicted and solved.

The folder then has the file `.kit-seat.json`. A record is one JSON object per line, in the order of time:

    {"at": "2026-03-01T09:30:00Z", "notebook": NAME}                      the notebook was started
    {"at": ..., "prediction": ID, "right": true}                          a claim answered a prediction
    {"at": ..., "exercise": ID, "state": "done"}                          an answer was checked

Names and ids are those of the kit's notebooks; what a reader calls otherwise is not recorded, and no answer is. A
record that cannot be written costs the notebook nothing: it says so once, and goes on.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from kit.errors import NotebookError
from kit.typed import typed

FILE = ".kit-seat.json"
RECORD = ".kit-record.jsonl"
FORMAT = 1
_NOTEBOOK = "JPY_SESSION_NAME"  # Jupyter's server sets it to the notebook's path, for its kernel


@dataclass(frozen=True, slots=True)
class Tasks:
    """The ids of a notebook's predictions and exercises, in their order."""

    predictions: tuple[str, ...]
    exercises: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat by its name, the file of its record, and the notebooks of its class with their tasks."""

    name: str
    record: Path
    notebooks: Mapping[str, Tasks]

    def predictions(self) -> Iterator[str]:
        """The ids of all predictions."""
        return (id for tasks in self.notebooks.values() for id in tasks.predictions)

    def exercises(self) -> Iterator[str]:
        """The ids of all exercises."""
        return (id for tasks in self.notebooks.values() for id in tasks.exercises)


def write(folder: Path, seat: Seat) -> None:
    """Make `folder` the seat's. Raises OSError when it cannot be written."""
    beside = folder / f"{FILE}.new"
    content = {"format": FORMAT, "name": seat.name, "record": str(seat.record)}
    content["notebooks"] = {name: asdict(tasks) for name, tasks in seat.notebooks.items()}
    beside.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    beside.replace(folder / FILE)


def read(folder: Path) -> Seat | None:
    """The seat to which a folder belongs, or None. Raises NotebookError when its file cannot be used."""
    path = folder / FILE
    try:
        found: Any = json.loads(path.read_text("utf-8"))
        if found["format"] != FORMAT:
            raise ValueError(f"the format {found['format']}")
        # A relative path is one in the folder, so that a folder of seats can be moved.
        return typed({**found, "record": folder / found["record"]}, Seat)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError, msgspec.ValidationError) as error:
        raise NotebookError(
            f"{path.name} cannot be used: {error}", wanted=f"what kit class writes there (format {FORMAT})",
            remedy="tell your teacher; nothing that you solve here is recorded",
        ) from error


@dataclass(slots=True)
class Recorder:
    """Writes the records of this kernel; none without a seat."""

    seat: Seat | None = None
    has_failed: bool = field(default=False)

    def join(self, folder: Path, notebook: str) -> None:
        """Record for the seat of `folder` from now on, and that this notebook of it, a path, was started."""
        try:
            self.seat = read(folder)
        except NotebookError as error:
            print(error)
        if self.seat is None:
            return
        print(f"{self.seat.name}: the class sees which predictions and exercises are solved here, and no answer.")
        name = Path(notebook).stem
        if name in self.seat.notebooks:
            self._append({"notebook": name})

    def prediction(self, id: str, right: bool) -> None:
        """Record that a claim answered a prediction."""
        if self.seat is not None and id in self.seat.predictions():
            self._append({"prediction": id, "right": right})

    def exercise(self, id: str, state: str) -> None:
        """Record that the answer to an exercise was checked."""
        if self.seat is not None and id in self.seat.exercises():
            self._append({"exercise": id, "state": state})

    def _append(self, record: Mapping[str, object]) -> None:
        assert self.seat is not None
        line = json.dumps({"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **record})
        try:
            # Not created here: a class that has ended has taken its records away.
            descriptor = os.open(self.seat.record, os.O_WRONLY | os.O_APPEND)
            try:
                # One write, which other kernels of the seat cannot divide; the first line feed ends a line that a
                # full disk has cut.
                os.write(descriptor, f"\n{line}\n".encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            if not self.has_failed:
                print(f"This is not recorded for the class: {error.strerror}. The notebook itself goes on.")
            self.has_failed = True


recorder = Recorder()


def join() -> None:
    """Record for the seat to which the working directory belongs, if it does."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return
    recorder.join(here, os.environ.get(_NOTEBOOK, ""))
