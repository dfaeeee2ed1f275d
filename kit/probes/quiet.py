"""A probe that fails must not end the program under study: its failure is kept, and nothing is raised."""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, TypeVar

from .gate import DatabaseRefused

Function = TypeVar("Function", bound=Callable[..., Any])

failures: Dict[str, str] = {}  # the probe's function -> why it failed first


def quietly(function: Function) -> Function:
    """Make a probe's function return None where it fails. A refusal by the gate is no failure."""
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except DatabaseRefused:
            raise
        except Exception as error:
            failures.setdefault(function.__qualname__, f"{type(error).__name__}: {error}".splitlines()[0])
            return None
    return call  # type: ignore[return-value]
