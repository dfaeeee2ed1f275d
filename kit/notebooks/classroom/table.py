"""The teacher's table: a row for each seat. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kit.notebooks.classroom.records import FORMAT, Solved
from kit.notebooks.seat import Tasks

_COLUMNS = ("seat", "state", "notebooks", "predictions", "right at first", "exercises done", "refused", "last (UTC)")


def lines(rows: Sequence[Solved], states: Mapping[str, str], known: Mapping[str, Tasks]) -> list[str]:
    """The table as lines of text. `states` has the state of each seat that runs here, by its name."""
    predictions = sum(len(tasks.predictions) for tasks in known.values())
    exercises = sum(len(tasks.exercises) for tasks in known.values())
    cells = [
        (
            row.seat, states.get(row.seat, "-"), _briefly(row.notebooks),
            f"{len(row.right) + len(row.wrong)} of {predictions}", str(len(row.right)),
            f"{len(row.done)} of {exercises}", str(len(row.refused)), row.last[11:19] if row.last else "-",
        )
        for row in rows
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *cells, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (_COLUMNS, *cells)]


def _briefly(notebooks: Sequence[str]) -> str:
    """The notebooks by their numbers, or the beginning of the name of one without a number."""
    return " ".join(sorted(name.partition("_")[0] for name in notebooks)) or "-"


def as_json(rows: Sequence[Solved], states: Mapping[str, str], known: Mapping[str, Tasks]) -> dict[str, Any]:
    """The table as JSON: with the ids of what was solved, and of all that there is to solve."""
    of = {
        name: {"predictions": list(tasks.predictions), "exercises": list(tasks.exercises)}
        for name, tasks in known.items()
    }
    return {"format": FORMAT, "seats": [row.to_json() | {"state": states.get(row.seat)} for row in rows], "of": of}
