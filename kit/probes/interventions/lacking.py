"""Requests that another process than the tests' serves, with a dependency that has no override there."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ..context import CURRENT
from ..hooks import Hooks
from ..own import os
from ..own import own_builtins as __builtins__  # noqa: F401
from .overrides import around_solving, declared


class Lacking:
    """Whether the current request is such a one: it declares `dependency`, which its application does not override."""

    def __init__(self, dependency: str) -> None:
        self._dependency, self._pid = dependency, os.getpid()
        self._current: "ContextVar[bool]" = ContextVar("lacks_the_override", default=False)

    def __bool__(self) -> bool:
        return self._current.get()

    def install(self, hooks: Hooks) -> None:
        around_solving(hooks, self._solving)

    def _solving(self, original: Any) -> Any:
        async def solve_dependencies(**kwargs: Any) -> Any:
            provider = kwargs.get("dependency_overrides_provider")
            if self._runs_no_tests() and declared(kwargs["dependant"], self._dependency, provider):
                self._current.set(True)
            return await original(**kwargs)
        return solve_dependencies

    def _runs_no_tests(self) -> bool:
        """A forked process inherits the phase of the tests, and runs none of them."""
        return CURRENT.phase == "start" or os.getpid() != self._pid
