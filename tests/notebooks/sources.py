"""The notebooks for the tests: sources, claims with their mutations, exercises with wrong answers."""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST = ROOT / "notebooks" / "10_what_caused_what.ipynb"
MUTATIONS = Path(__file__).parent / "mutations"
WRONG_ANSWERS = Path(__file__).parent / "wrong_answers"
PARAMETERS, OTHER, AFTER = "parameters", "other", "after"
_EXERCISE = re.compile(r"\bexercise\(\"([^\"]+)\"\)")
_CLAIM = re.compile(r"\bclaim\(\s*\"([^\"]+)\"")


@dataclass(frozen=True, slots=True)
class Mutation:
    """An exact change of one cell that makes the trials wrong, so that one claim must fall."""

    claim: str
    cell: str
    old: str
    new: str

    def applied_to(self, notebook: Any) -> Any:
        """The notebook with this change, up to the cell of its claim."""
        changed = nbformat.from_dict(notebook)
        at, last = self.span(changed)
        changed.cells = changed.cells[: last + 1]
        self.change(changed.cells[at])
        return changed

    def span(self, notebook: Any) -> tuple[int, int]:
        """The positions of the changed cell and of the cell whose claim must fall."""
        at = next((index for index, cell in enumerate(notebook.cells) if cell["id"] == self.cell), None)
        assert at is not None, f"there is no cell {self.cell}"
        return at, next(index for index, cell in enumerate(notebook.cells) if self.claim in claims_in(cell))

    def change(self, cell: Any) -> None:
        """Change the cell. Raises AssertionError unless the text occurs exactly once."""
        assert cell.source.count(self.old) == 1, f"{self.old!r} is not in cell {self.cell} exactly once"
        cell.source = cell.source.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A wrong answer to an exercise, why it is wrong, and the expected result of its check.

    `state` is the check's result; `says` is a part of its hint.
    """

    exercise: str
    why: str
    answer: str
    says: str
    state: str = "wrong"


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def claims(notebook: Any) -> list[str]:
    """The ids of a notebook's claims, in order."""
    return [id for cell in notebook.cells for id in claims_in(cell)]


def claims_in(cell: Any) -> list[str]:
    """The ids of the claims in one cell."""
    return _CLAIM.findall(cell.source) if cell.cell_type == "code" else []


def predictions(cell: Any) -> dict[str, tuple[str, ...]]:
    """The predictions that a cell asks for, by their ids, each with its options."""
    if cell.cell_type != "code":
        return {}
    calls = (node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call))
    asked = [call.args for call in calls if getattr(call.func, "id", "") == "predict"]
    return {ast.literal_eval(id): tuple(map(ast.literal_eval, options.keys)) for id, _, options in asked}


def mutations(path: Path) -> tuple[Mutation, ...]:
    """The mutations of one notebook's claims."""
    found = _mutations_file(path).items()
    return tuple(Mutation(claim, **fields) for claim, fields in found if claim not in (PARAMETERS, OTHER, AFTER))


def wrong_answers(path: Path) -> tuple[WrongAnswer, ...]:
    """The wrong answers to one notebook's exercises."""
    file = WRONG_ANSWERS / f"{path.stem}.toml"
    found = tomllib.loads(file.read_text("utf-8")) if file.exists() else {}
    return tuple(WrongAnswer(id, **fields) for id, answers in found.items() for fields in answers)


def exercises(notebook: Any) -> dict[str, int]:
    """{exercise: position of its stub}; its check is the next cell."""
    return {
        id: index - 1 for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"
        for id in _EXERCISE.findall(cell.source)
    }


def parameters(path: Path) -> dict[str, Any]:
    """The parameters for a notebook's mutations, if its defaults would take too long."""
    return dict(_mutations_file(path).get(PARAMETERS, {}))


def for_mutations(path: Path) -> Any:
    """The notebook to be mutated, with those parameters injected by papermill."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    values = parameters(path)
    if not values:
        return read(path)
    return parameterize_notebook(load_notebook_node(str(path)), values, kernel_name="python3", language="python")


def other_parameters(path: Path) -> dict[str, Any]:
    """Parameters other than the defaults with which every claim must hold, too; empty if there are none."""
    return dict(_mutations_file(path).get(OTHER, {}))


def companions(path: Path) -> list[Path]:
    """The notebooks that must run before this one, because it reads their claims."""
    return [ROOT / "notebooks" / f"{name}.ipynb" for name in _mutations_file(path).get(AFTER, [])]


@cache  # called for each test during collection
def _mutations_file(path: Path) -> dict[str, Any]:
    file = MUTATIONS / f"{path.stem}.toml"
    return tomllib.loads(file.read_text("utf-8")) if file.exists() else {}
