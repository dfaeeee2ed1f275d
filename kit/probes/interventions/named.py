"""Matches callables with the names in the evidence."""

from __future__ import annotations

from typing import Any

from ..callables import describe, known_as
from ..own import functools
from ..own import own_builtins as __builtins__  # noqa: F401


def is_named(call: Any, name: str) -> bool:
    """Return whether a callable has a name: its own, or that of the global that holds it."""
    return name_of(call) == name or known_as(call) == name or describe(call)["name"] == name


def name_of(call: Any) -> str:
    """Return the qualified name of a callable, with its module."""
    call = call.func if isinstance(call, functools.partial) else call
    function = getattr(call, "__func__", call)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if not hasattr(function, "__qualname__"):
        function = type(call)
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', '?')}"
