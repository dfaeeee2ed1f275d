"""JSON encoding that calls no code of the values: a value of a type unknown to JSON becomes the name of its type."""

from __future__ import annotations

from typing import Any, Dict

from .own import json
from .own import own_builtins as __builtins__  # noqa: F401

quoted = json.encoder.encode_basestring_ascii

_WORDS: Dict[Any, str] = {None: "null", True: "true", False: "false"}


def value_as_json(value: Any) -> str:
    """Encode a value as JSON. The first cases are the common ones."""
    kind = type(value)
    if kind is str:
        return quoted(value)
    if value is None or kind is bool:
        return _WORDS[value]
    if kind is list or kind is tuple:
        return f"[{','.join([value_as_json(inner) for inner in value])}]"
    return int.__repr__(value) if kind is int else _other(value, kind)


def _other(value: Any, kind: type) -> str:
    """Encode a value by the base class's own methods: a subclass may override its text, items or length."""
    if issubclass(kind, str):
        return quoted(str.__str__(value))
    if issubclass(kind, int):
        return int.__repr__(value)
    if issubclass(kind, float):
        text = float.__repr__(value)
        return "null" if text in ("nan", "inf", "-inf") else text
    if issubclass(kind, dict):
        return f"{{{','.join([_pair(key, inner) for key, inner in dict.items(value)])}}}"
    for base in (list, tuple, set, frozenset):
        if issubclass(kind, base):
            return f"[{','.join([value_as_json(inner) for inner in base.__iter__(value)])}]"
    return quoted(f"<{type.__dict__['__name__'].__get__(kind)}>")


def _pair(key: Any, value: Any) -> str:
    name = value_as_json(key)
    return f"{name if name[:1] == chr(34) else quoted(name)}:{value_as_json(value)}"
