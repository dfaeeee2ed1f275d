"""The claims of a notebook: those in its source, and those that its run decided."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from kit.errors import NotebookError
from kit.notebooks.cells import CLAIM_MIME, EXERCISE_MIME, Claim
from kit.notebooks.investigate import saved
from kit.notebooks.investigate.parameters import without_magics
from kit.typed import Type, typed


@dataclass(frozen=True, slots=True)
class Stated:
    """A call of `claim` in the source of a notebook, in the cell at position `index`.

    `id` is None if it is not a literal, as in a loop.
    """

    index: int
    id: str | None
    sentence: str
    expected: str


@dataclass(frozen=True, slots=True)
class Exercise:
    """The result of an exercise's check. `hint` is empty when it is done; `state` is a `kit.notebooks.checks.State`."""

    id: str
    done: bool
    hint: str = ""
    state: str = ""


def decided(nb: Any) -> list[Claim]:
    """Return the claims that an executed notebook decided, in order."""
    return [claim for cell in nb.cells for claim in decided_in(cell)]


def decided_in(cell: Any) -> list[Claim]:
    """Return the claims that one executed cell decided."""
    return [_typed(data, Claim) for data in _data(cell, CLAIM_MIME)]


def exercises(nb: Any) -> list[Exercise]:
    """Return the results of an executed notebook's exercises, in order."""
    return [_typed(data, Exercise) for cell in nb.cells for data in _data(cell, EXERCISE_MIME)]


def cells(nb: Any) -> dict[str, str]:
    """Return {id of a decided claim: id of its cell}."""
    return {data["id"]: cell.get("id", "") for cell in nb.cells for data in _data(cell, CLAIM_MIME)}


def parameters_cell(nb: Any) -> str:
    """Return the id of the cell with a notebook's parameters; empty if there is none."""
    tagged = [cell for cell in nb.cells if "parameters" in cell.metadata.get("tags", [])]
    return str(tagged[0].get("id", "")) if tagged else ""


def stated(nb: Any) -> list[Stated]:
    """Return the claims in the source of a notebook, in order."""
    return [claim for index in saved.code_cells(nb) for claim in _stated_in(nb.cells[index].source, index)]


def never_reached(nb: Any, outcome: saved.Outcome) -> list[Claim]:
    """Return the undecided claims in cells that did not finish."""
    known = {claim.id for claim in decided(nb)}
    unfinished = {*outcome.never_ran, outcome.stopped_at}
    if outcome.ran == 0:
        unfinished |= {saved.label(nb, index) for index in saved.code_cells(nb)}
    why = f"never reached: {outcome.sentence}"
    return [
        Claim(claim.id or f"unnamed-{number}", claim.sentence, claim.expected, why, False, 0, 0.0)
        for number, claim in enumerate(stated(nb), 1)
        if saved.label(nb, claim.index) in unfinished and claim.id not in known
    ]


def not_asked(nb: Any, outcome: saved.Outcome) -> list[str]:
    """Return the ids of undecided claims in cells that did finish, in a branch that was not taken."""
    known = {claim.id for claim in [*decided(nb), *never_reached(nb, outcome)]}
    return sorted({claim.id for claim in stated(nb) if claim.id is not None} - known)


def made_twice(nb: Any) -> list[str]:
    """Return the ids under which a notebook decided more than one claim."""
    ids = [claim.id for claim in decided(nb)]
    return sorted({id for id in ids if ids.count(id) > 1})


def _typed(data: Any, type_: type[Type]) -> Type:
    try:
        return typed(data, type_)
    except msgspec.ValidationError as error:
        found = f"An output is marked as a claim or an exercise, but is not one: {error}"
        raise NotebookError(found, remedy="make it by claim or exercise of kit.notebooks.cells") from None


def _data(cell: Any, mime: str) -> Iterator[dict[str, Any]]:
    for output in cell.get("outputs", []):
        if mime in output.get("data", {}):
            yield output["data"][mime]


def _stated_in(source: str, index: int) -> Iterator[Stated]:
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Call) and _called(node) == "claim":
            words = {word.arg: word.value for word in node.keywords}
            id, sentence = [*node.args, None, None][:2]
            expected = words.get("expected")
            yield Stated(
                index,
                _text(id or words.get("id")),
                _sentence(sentence or words.get("sentence")),
                ast.unparse(expected) if expected else "",
            )


def parsed(source: str) -> ast.Module:
    """Parse the Python code of a cell; an empty module if it is not Python."""
    try:
        return ast.parse(without_magics(source))
    except SyntaxError:
        return ast.Module([], [])


def _called(call: ast.Call) -> str:
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _sentence(node: ast.expr | None) -> str:
    """A literal string; of an f-string, its literal parts."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "…" for part in node.values)
    return _text(node) or "a claim whose sentence is put together as it runs"


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
