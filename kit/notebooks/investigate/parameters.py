"""The parameters declared in a notebook's cell tagged `parameters`, and checks of given values.

A declaration is an unindented assignment, `n_trials: int = 3  # how often each trial is run`. Its type is the
annotation (`parameter_types`), else the default's type. A comment with `at least 1` or `more than 0` is a bound for the
number, which then must be finite.
"""

from __future__ import annotations

import ast
import difflib
import io
import math
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kit.errors import NotebookError
from kit.notebooks.investigate import parameter_types

TAG = "parameters"
_BOUND = re.compile(r"\b(at least|more than) (-?\d+(?:\.\d+)?)\b")
_MAGIC = re.compile(r"^\s*(?:[\w, ]+=\s*)?[%!?].*$|^\s*[\w.]+\?\??\s*$")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter. `type` as in `parameter_types`; `default` is source code.

    `comment` is the comment beside or above it.
    """

    name: str
    type: Any
    default: str
    comment: str = ""

    @property
    def kind(self) -> str:
        """The type in words."""
        return parameter_types.words(self.type)

    @property
    def bound(self) -> str:
        """The bound in the comment, empty if there is none."""
        found = _BOUND.search(self.comment)
        return found[0] if found else ""

    def __str__(self) -> str:
        comment = f" ({self.comment})" if self.comment else ""
        return f"{self.name}: {self.kind} = {self.default}{comment}"

    def read(self, given: object) -> Any:
        """Return the given value; a string is converted to the parameter's type.

        Raises Misfit if it has another type or violates the bound in the comment.
        """
        if isinstance(given, str):
            value = parameter_types.from_text(given, self.type)
        else:
            value = parameter_types.fitted(given, self.type)
        if not self._is_enough(value):
            raise parameter_types.Misfit(given)
        return value

    def _is_enough(self, value: object) -> bool:
        bound = _BOUND.search(self.comment)
        if bound is None or not isinstance(value, int | float):
            return True
        beyond = value >= float(bound[2]) if bound[1] == "at least" else value > float(bound[2])
        return beyond and math.isfinite(value)


def declared(nb: Any, notebook: str = "the notebook") -> dict[str, Parameter]:
    """Return {name: parameter} of a notebook, in order; empty if no cell is tagged `parameters`.

    Raises NotebookError when that cell, apart from magics, is not Python.
    """
    for cell in nb.cells:
        if cell.cell_type == "code" and TAG in cell.metadata.get("tags", []):
            try:
                return {parameter.name: parameter for parameter in _declarations(without_magics(cell.source))}
            except (SyntaxError, tokenize.TokenError) as error:
                why = f"{error.msg}, line {error.lineno}" if isinstance(error, SyntaxError) else str(error)
                found = f"The cell tagged {TAG!r} of {notebook} is not Python: {why}"
                raise NotebookError(found, remedy="correct it") from None
    return {}


def without_magics(source: str) -> str:
    """Return the source of a cell with IPython's own lines blanked, so that line numbers stay the same."""
    with suppress(SyntaxError, ValueError):
        ast.parse(source)
        return source
    return "\n".join(_MAGIC.sub("", line) for line in source.splitlines())


def pairs(parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return parameters by name. Raises NotebookError when a name is given twice."""
    if isinstance(parameters, Mapping):
        return dict(parameters)
    given: dict[str, Any] = {}
    for name, value in parameters:
        if name in given:
            raise NotebookError(f"The parameter {name!r} is given twice", remedy="give it once")
        given[name] = value
    return given


def check(given: Mapping[str, Any], notebooks: Mapping[str, Mapping[str, Parameter]]) -> dict[str, dict[str, Any]]:
    """Return the values for each notebook. Raises NotebookError for an unknown name or a wrong type.

    With several notebooks, a parameter is passed to each one that declares it.
    """
    for name in given:
        if not any(name in parameters for parameters in notebooks.values()):
            raise _unknown(name, notebooks)
    return {
        notebook: {name: _read(known[name], value, notebook) for name, value in given.items() if name in known}
        for notebook, known in notebooks.items()
    }


def _read(parameter: Parameter, value: object, notebook: str) -> Any:
    try:
        return parameter.read(value)
    except parameter_types.Misfit:
        raise NotebookError(
            f"The parameter {parameter.name!r} of {notebook} is given as {value!r}",
            wanted=str(parameter),
            remedy=f"give {', '.join(filter(None, (parameter.kind, parameter.bound)))}",
        ) from None


def _unknown(name: str, notebooks: Mapping[str, Mapping[str, Parameter]]) -> NotebookError:
    known = {parameter.name: parameter for parameters in notebooks.values() for parameter in parameters.values()}
    near = difflib.get_close_matches(name, known, n=1)
    who = next(iter(notebooks)) if len(notebooks) == 1 else f"None of {len(notebooks)} notebooks"
    has = f"{who} has no parameter {name!r}" if len(notebooks) == 1 else f"{who} has a parameter {name!r}"
    return NotebookError(
        has,
        wanted="; ".join(map(str, known.values())) or "no parameter at all",
        remedy=f"write {near[0]!r}" if near else "take one of these" if known else "leave it out",
    )


def _declarations(source: str) -> Iterator[Parameter]:
    body, comments = ast.parse(source).body, _comments(source)
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            name, annotation = node.target.id, node.annotation
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, annotation = node.targets[0].id, None
        else:
            continue
        assert node.value is not None
        beside = comments.get(node.end_lineno or node.lineno) or comments.get(-(node.lineno - 1), "")
        if annotation is not None:
            kind = parameter_types.of_annotation(annotation)
        else:
            kind = parameter_types.of_default(node.value)
        yield Parameter(name, kind, ast.unparse(node.value), beside)


def _comments(source: str) -> dict[int, str]:
    """Return the comments of a cell by line number; for a comment alone on its line, the negative number."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            found[-token.start[0] if alone else token.start[0]] = token.string.lstrip("# ").strip()
    return found
