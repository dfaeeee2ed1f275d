"""Which names of a notebook depend on its parameters, directly or through other names."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from kit.notebooks.investigate.parameters import declared
from tests.notebooks.sources import code

HOW_OFTEN = {"repetitions", "timeout_s", "seed", "many", "rounds"}  # they set how often and how long, not what is run


def switches(notebook: Any) -> set[str]:
    """The parameters that change what is built or run."""
    return {name for name in declared(notebook) if name not in HOW_OFTEN}


def sentences_that_do_not_follow(notebook: Any, parameters: Iterable[str]) -> list[str]:
    """The claims whose expectation depends on one of these parameters although their sentence does not."""
    follows = set(parameters)
    found = []
    for cell in code(notebook):
        tree = ast.parse(cell.source)
        for node in tree.body:
            for call in _claims(node):
                expected = next(word.value for word in call.keywords if word.arg == "expected")
                if _names(expected) & follows and not _names(call.args[1]) & follows:
                    found.append(ast.literal_eval(call.args[0]))
            if _names(node) & follows:
                follows |= set(_made(node))
    return found


def _claims(node: ast.AST) -> Iterator[ast.Call]:
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and getattr(part.func, "id", "") == "claim":
            yield part


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}


def _made(node: ast.AST) -> Iterator[str]:
    """The names that a statement assigns; results of runs are not predictions and are left out."""
    if isinstance(node, ast.FunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign) and not _names(node) & {"run", "session"}:
        names = (part for part in ast.walk(node) if isinstance(part, ast.Name))
        yield from (part.id for part in names if isinstance(part.ctx, ast.Store))
