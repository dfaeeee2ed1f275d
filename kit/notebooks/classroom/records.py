"""What each seat of a class has solved, read from its record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.notebooks.checks import State
from kit.notebooks.classroom.folders import seat_folders
from kit.notebooks.seat import RECORD, Tasks

FORMAT = 1
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_REFUSED = (State.WRONG.value, State.CANNOT.value)


@dataclass(slots=True)
class Solved:
    """What one seat has done, by the ids of the kit's notebooks; `last` is the time of its last record, in UTC.

    A prediction counts as it was first answered. An exercise is refused as long as no check found it done.
    """

    seat: str
    notebooks: list[str] = field(default_factory=list)
    right: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    last: str | None = None

    def add(self, record: Mapping[str, Any], known: Mapping[str, Tasks]) -> None:
        """Count a record. One about something that the kit's notebooks do not have is left out."""
        predictions = [id for tasks in known.values() for id in tasks.predictions]
        exercises = [id for tasks in known.values() for id in tasks.exercises]
        if (name := record.get("notebook")) in known:
            _once(self.notebooks, name)
        elif (id := record.get("prediction")) in predictions:
            if id not in self.right + self.wrong:
                (self.right if record.get("right") is True else self.wrong).append(str(id))
        elif (id := record.get("exercise")) in exercises:
            self._check(str(id), record.get("state"))
        else:
            return
        if _TIME.fullmatch(str(record.get("at"))):
            self.last = str(record["at"])

    def _check(self, id: str, state: object) -> None:
        if state == State.DONE.value:
            _once(self.done, id)
            self.refused = [one for one in self.refused if one != id]
        elif state in _REFUSED and id not in self.done:
            _once(self.refused, id)

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON."""
        return {
            "seat": self.seat, "notebooks": self.notebooks,
            "predictions": {"right": self.right, "wrong": self.wrong},
            "exercises": {"done": self.done, "refused": self.refused}, "last": self.last,
        }  # fmt: skip


def _once(names: list[str], name: Any) -> None:
    if name not in names:
        names.append(str(name))


def read(folder: Path, known: Mapping[str, Tasks]) -> list[Solved]:
    """What each seat of the class in `folder` has solved. A seat without a record has solved nothing.

    Records are counted only if they are about `known` notebooks and their tasks, so that nothing else is ever shown.
    """
    return [solved(path.name, _lines(path / RECORD), known) for path in seat_folders(folder)]


def solved(seat: str, lines: Iterable[str], known: Mapping[str, Tasks]) -> Solved:
    """What a seat has solved, by the lines of its record. A line that was cut off, or is another's, does not count."""
    found = Solved(seat)
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and all(isinstance(value, str | bool) for value in record.values()):
            found.add(record, known)
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    except OSError:
        return []
