"""The defaults of a function's parameters, evaluated once, when the function was defined."""

from __future__ import annotations

from types import FunctionType
from typing import Any, Dict, List, Tuple

from .environ import shown
from .own import own_builtins as __builtins__  # noqa: F401
from .settings.values import text_of_setting


def defaults_of(function: Any) -> Dict[str, Any]:
    """Return the defaults of a function written in Python by the names of its parameters; empty for others."""
    if type(function) is not FunctionType:
        return {}
    code, by_position = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[:code.co_argcount][code.co_argcount - len(by_position):]
    return {**dict(zip(names, by_position)), **(function.__kwdefaults__ or {})}


def databases_in_defaults(function: Any) -> List[Tuple[str, str]]:
    """Return the parameters whose default names a database, each with its value without secrets."""
    texts = {name: text_of_setting(name, value) for name, value in defaults_of(function).items()}
    return [(name, shown(name, text) or "") for name, text in texts.items() if text]
