"""The notebooks as the tests read them: sources, claims and their mutations, exercises and wrong answers to them."""

from __future__ import annotations

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
        """The notebook with this change, up to the cell of its claim, for nothing after that matters."""
        changed = nbformat.from_dict(notebook)
        at, last = self.span(changed)
        changed.cells = changed.cells[: last + 1]
        self.change(changed.cells[at])
        return changed

    def span(self, notebook: Any) -> tuple[int, int]:
        """The positions of the cell that is changed and of the cell whose claim must fall."""
        at = next((index for index, cell in enumerate(notebook.cells) if cell["id"] == self.cell), None)
        assert at is not None, f"there is no cell {self.cell}"
        return at, next(index for index, cell in enumerate(notebook.cells) if self.claim in claims_in(cell))

    def change(self, cell: Any) -> None:
        """Make the change in its cell. AssertionError where the text is not in it exactly once."""
        assert cell.source.count(self.old) == 1, f"{self.old!r} is not in cell {self.cell} exactly once"
        cell.source = cell.source.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A wrong answer to an exercise, what it gets wrong, and what its check must say of it.

    `state` is the check's; `says` is a part of its hint.
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
    """The ids of a notebook's claims, in the order of its text."""
    return [id for cell in notebook.cells for id in claims_in(cell)]


def claims_in(cell: Any) -> list[str]:
    """The ids of the claims in one cell."""
    return _CLAIM.findall(cell.source) if cell.cell_type == "code" else []


def mutations(path: Path) -> tuple[Mutation, ...]:
    """The mutations of one notebook's claims."""
    found = _mutations_file(path).items()
    return tuple(Mutation(claim, **fields) for claim, fields in found if claim not in (PARAMETERS, OTHER, AFTER))


def wrong_answers(path: Path) -> tuple[WrongAnswer, ...]:
    """The wrong answers that are kept of one notebook's exercises."""
    file = WRONG_ANSWERS / f"{path.stem}.toml"
    found = tomllib.loads(file.read_text("utf-8")) if file.exists() else {}
    return tuple(WrongAnswer(id, **fields) for id, answers in found.items() for fields in answers)


def exercises(notebook: Any) -> dict[str, int]:
    """The exercises of a notebook, each with the position of its stub; its check is the cell after it."""
    return {
        id: index - 1 for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"
        for id in _EXERCISE.findall(cell.source)
    }


def parameters(path: Path) -> dict[str, Any]:
    """The parameters with which a notebook's mutations are run, where its defaults would take long."""
    return dict(_mutations_file(path).get(PARAMETERS, {}))


def for_mutations(path: Path) -> Any:
    """The notebook as its mutations are made in it: with their parameters, if they have any, put in by papermill."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    values = parameters(path)
    if not values:
        return read(path)
    return parameterize_notebook(load_notebook_node(str(path)), values, kernel_name="python3", language="python")


def other_parameters(path: Path) -> dict[str, Any]:
    """Parameters other than the defaults, with which every claim holds as well; none where there is no other sense."""
    return dict(_mutations_file(path).get(OTHER, {}))


def companions(path: Path) -> list[Path]:
    """The notebooks that must have run before this one, because it reads what they found."""
    return [ROOT / "notebooks" / f"{name}.ipynb" for name in _mutations_file(path).get(AFTER, [])]


@cache  # as tests are collected it is asked for once for each
def _mutations_file(path: Path) -> dict[str, Any]:
    file = MUTATIONS / f"{path.stem}.toml"
    return tomllib.loads(file.read_text("utf-8")) if file.exists() else {}
