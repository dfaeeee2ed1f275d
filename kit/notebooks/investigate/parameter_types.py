"""Types of parameters: parsed from annotations, described in words, checked and converted.

A type is a Python type or a form of `typing`, such as `int`, `Literal["a", "b"]`, `list[int | None]` or `Any`.
"""

from __future__ import annotations

import ast
import math
import types
from collections.abc import Callable, Iterator
from functools import reduce
from operator import or_
from typing import Any, Literal, Union, get_args, get_origin

NoneType = type(None)
_NAMED: dict[str, Any] = {
    "int": int, "float": float, "str": str, "bool": bool, "list": list[Any], "dict": dict[Any, Any], "None": NoneType,
}  # fmt: skip
_LITERALS = {"null": None, "none": None, "true": True, "false": False, "nan": math.nan, "inf": math.inf}
_YES = ("true", "yes", "on", "1")
_NO = ("false", "no", "off", "0")


class Misfit(ValueError):
    """The value does not have the type."""


def of_annotation(node: ast.expr) -> Any:
    """Return the type of an annotation; `Any` if it is, or contains, an unsupported type."""
    if isinstance(node, ast.Constant):
        return NoneType if node.value is None else _of_text(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(of_annotation(node.left), of_annotation(node.right))
    if isinstance(node, ast.Subscript):
        return _of_subscript(ast.unparse(node.value).rpartition(".")[2], node.slice)
    name = ast.unparse(node).rpartition(".")[2]
    return _NAMED.get(name.lower() if name in ("List", "Dict") else name, Any)


def _of_text(text: object) -> Any:
    """The type of a string annotation."""
    try:
        return of_annotation(ast.parse(text, mode="eval").body) if isinstance(text, str) else Any
    except SyntaxError:
        return Any


def _of_subscript(name: str, inside: ast.expr) -> Any:
    parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if name == "Literal":
        return Literal[tuple(ast.literal_eval(part) for part in parts)]
    found = [of_annotation(part) for part in parts]
    if name == "Optional" and len(found) == 1:
        return _union(found[0], NoneType)
    if name == "Union":
        return _union(*found)
    if name.lower() == "list" and len(found) == 1:
        return list[found[0]]  # type: ignore[valid-type]
    if name.lower() == "dict" and len(found) == 2:
        return dict[found[0], found[1]]  # type: ignore[valid-type]
    return Any


def _union(*members: Any) -> Any:
    return Any if Any in members else reduce(or_, members)


def of_default(node: ast.expr) -> Any:
    """Return the type of a parameter without annotation, from its default; `Any` if the default is computed or None."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return Any
    return _NAMED.get(type(value).__name__, Any)


def members(kind: Any) -> tuple[Any, ...]:
    """The members of a union; for other types the type itself."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def words(kind: Any) -> str:
    """The type in words, with `None` last."""
    ordered = sorted(members(kind), key=lambda one: one is NoneType)
    return " or ".join(_one_in_words(one) for one in ordered)


def _one_in_words(kind: Any) -> str:
    inside = get_args(kind)
    if kind is Any:
        return "any literal"
    if kind is NoneType:
        return "None"
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, inside))
    if get_origin(kind) is list:
        return "list" if inside == (Any,) else f"list of {_within(inside[0])}"
    if get_origin(kind) is dict:
        return "dict" if inside == (Any, Any) else f"dict of {_within(inside[0])} to {_within(inside[1])}"
    return str(kind.__name__)


def _within(kind: Any) -> str:
    return f"({words(kind)})" if " or " in words(kind) else words(kind)


def fitted(value: object, kind: Any) -> Any:
    """Return the value as this type; only an int for a float is converted. Raises Misfit if it has another type."""
    for one in members(kind):
        if _is_exactly(value, one):
            return value
    for one in members(kind):
        try:
            return _as_one(value, one)
        except Misfit:
            continue
    raise Misfit(value)


def _is_exactly(value: object, kind: Any) -> bool:
    return kind is NoneType if value is None else type(value) is kind


def _as_one(value: object, kind: Any) -> Any:
    origin, inside = get_origin(kind), get_args(kind)
    if kind is Any or _is_exactly(value, kind):
        return value
    if origin is Literal and any(value == one and type(value) is type(one) for one in inside):
        return value
    if kind is float and type(value) is int:
        return float(value)
    if origin is list and isinstance(value, list):
        return [fitted(item, inside[0]) for item in value]
    if origin is dict and isinstance(value, dict):
        return {fitted(key, inside[0]): fitted(item, inside[1]) for key, item in value.items()}
    raise Misfit(value)


def from_text(text: str, kind: Any) -> Any:
    """Return text from the command line as a value of this type. Raises Misfit if it is none.

    For a union the more specific member counts: `3` is an int for `int | str`, and `three` a str.
    """
    for read in _readers(kind):
        try:
            return fitted(read(text), kind)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    raise Misfit(text)


def _readers(kind: Any) -> Iterator[Callable[[str], Any]]:
    found = members(kind)
    if NoneType in found:
        yield _none
    for one in found:
        if get_origin(one) is Literal:
            yield lambda text, one=one: _choice(text, one)  # type: ignore[misc]
    if any(one in (int, float, Any) or get_origin(one) in (list, dict) for one in found):
        yield _literal
    if bool in found:
        yield _truth
    if str in found or Any in found:
        yield str


def _none(text: str) -> None:
    if text not in ("None", "null", "none"):
        raise Misfit(text)


def _choice(text: str, kind: Any) -> Any:
    return next(one for one in (*get_args(kind), text) if str(one) == text)


def _truth(text: str) -> bool:
    if text.lower() not in _YES + _NO:
        raise Misfit(text)
    return text.lower() in _YES


def _literal(text: str) -> Any:
    """Parse a Python literal, with JSON's and YAML's names for None, booleans, nan and infinity also allowed."""
    return ast.literal_eval(_Literals().visit(ast.parse(text.strip(), mode="eval")).body)


class _Literals(ast.NodeTransformer):
    """Replaces these names by constants."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        name = node.id.lower()
        return ast.Constant(_LITERALS[name]) if name in _LITERALS else node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return ast.Constant(-node.operand.value)  # type: ignore[operator]
        return node
