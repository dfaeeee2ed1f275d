"""The parameters declared in a notebook's cell tagged `parameters`, and checks of given values.

A declaration is an unindented assignment, `n_trials: int = 3  # how often each trial is run`. Its type is the
annotation (`int`, `float`, `str`, `bool`, `list`, `dict`, `Literal[...]`, each also `| None`), else the default's type.
A comment with `at least 1` or `more than 0` is a bound for the number.
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

TAG = "parameters"
_TYPES: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool, "list": list, "dict": dict}
_BOUND = re.compile(r"\b(at least|more than) (-?\d+(?:\.\d+)?)\b")
_MAGIC = re.compile(r"^\s*(?:[\w, ]+=\s*)?[%!?].*$|^\s*[\w.]+\?\??\s*$")
_YES = ("true", "yes", "on", "1")
_NO = ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter. `type` is None if any value is allowed; `choices` are the only values, if any.

    `default` is the source of the default, `comment` the comment beside or above it.
    """

    name: str
    type: type | None
    default: str
    comment: str = ""
    optional: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def kind(self) -> str:
        """The type in words."""
        named = " or ".join(map(repr, self.choices)) or (self.type.__name__ if self.type else "any literal")
        return f"{named} or None" if self.optional else named

    @property
    def bound(self) -> str:
        """The bound in the comment, empty if there is none."""
        found = _BOUND.search(self.comment)
        return found[0] if found else ""

    def __str__(self) -> str:
        comment = f" ({self.comment})" if self.comment else ""
        return f"{self.name}: {self.kind} = {self.default}{comment}"

    def read(self, given: object) -> Any:
        """Return the given value; a string is converted to the parameter's type. Raises ValueError for a misfit."""
        value = self._from_text(given) if isinstance(given, str) else given
        if not (self._fits(value) and self._is_enough(value)):
            raise ValueError(given)
        return float(value) if self.type is float and isinstance(value, int) else value

    def _from_text(self, text: str) -> Any:
        if self.optional and text in ("None", "null", "none"):
            return None
        if self.choices:
            return next((choice for choice in self.choices if str(choice) == text), text)
        if self.type is str:
            return text
        if self.type is bool:
            return True if text.lower() in _YES else False if text.lower() in _NO else text
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return text

    def _is_enough(self, value: object) -> bool:
        bound = _BOUND.search(self.comment)
        if bound is None or not isinstance(value, int | float):
            return True
        return value >= float(bound[2]) if bound[1] == "at least" else value > float(bound[2])

    def _fits(self, value: object) -> bool:
        if value is None:
            return self.optional or self.type is None
        if self.choices:
            return value in self.choices
        if isinstance(value, bool) or self.type in (None, bool):
            return self.type is None or (isinstance(value, bool) and self.type is bool)
        if self.type is float:
            return isinstance(value, int | float) and math.isfinite(value)
        return self.type is not None and isinstance(value, self.type)


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
    except ValueError:
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
        kind, optional, choices = _annotated(annotation) if annotation is not None else _typed_like(node.value)
        yield Parameter(name, kind, ast.unparse(node.value), beside, optional, choices)


def _comments(source: str) -> dict[int, str]:
    """Return the comments of a cell by line number; for a comment alone on its line, the negative number."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            found[-token.start[0] if alone else token.start[0]] = token.string.lstrip("# ").strip()
    return found


_Typed = tuple[type | None, bool, tuple[Any, ...]]


def _typed_like(default: ast.expr) -> _Typed:
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return None, False, ()
    return (type(value) if type(value) in _TYPES.values() else None), False, ()


def _annotated(annotation: ast.expr) -> _Typed:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _annotated(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        sides = [side for side in (annotation.left, annotation.right) if ast.unparse(side) != "None"]
        kind, _, choices = _annotated(sides[0]) if len(sides) == 1 else (None, False, ())
        return kind, len(sides) == 1, choices
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).endswith("Literal"):
        inside = ast.literal_eval(annotation.slice)
        return None, False, inside if isinstance(inside, tuple) else (inside,)
    return _TYPES.get(ast.unparse(annotation).split("[")[0]), False, ()
