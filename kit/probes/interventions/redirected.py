"""Applies `RedirectConnection`: connections made by one function lead to the database that the tests use.

Unlike a redirection to nowhere, this can show that the function bypasses its replacement: the rest of the run works.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Tuple

from ..drivers import ADAPTERS
from ..drivers.base import Opener
from ..hooks import Hooks
from ..own import os
from ..own import own_builtins as __builtins__  # noqa: F401
from .elsewhere import kind_of_engine, lines

if TYPE_CHECKING:
    from .connections import RedirectConnection

Call = Tuple[Tuple[Any, ...], Dict[str, Any]]


class Redirected:
    """Replaces the function's engine, or the arguments of its driver call, by those that the tests' line used last.

    `record_effect` is called for each redirection; connections made before those of the tests are not redirected.
    """

    def __init__(self, wanted: RedirectConnection, record_effect: Callable[[], None]) -> None:
        self._function = os.path.realpath(wanted.file), wanted.function
        self._meant = os.path.realpath(wanted.made_file), wanted.made_line
        self._record_effect = record_effect
        self._engines: List[Any] = []
        self._calls: Dict[str, Call] = {}  # driver -> the tests' last call

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("sqlalchemy.engine.base", self._watch_engines)
        for adapter in ADAPTERS:
            for opener in adapter.openers:
                if not opener.makes_pool:
                    hooks.when_imported(opener.module, partial(self._watch_servers, adapter.name, opener))

    def install_around(self, hooks: Hooks) -> None:
        """Wrap the probes of files, so that these judge the file that is opened in the end."""
        for adapter in ADAPTERS:
            adapter.around_opening(hooks, partial(self._redirecting, adapter.name, 0, ()))

    def _watch_engines(self, base: Any) -> None:
        redirected = self

        def making(original: Any) -> Any:
            def __init__(engine: Any, *args: Any, **kwargs: Any) -> None:
                original(engine, *args, **kwargs)
                if redirected._is_made_by_tests():
                    redirected._engines.append(engine)
            return __init__

        def connecting(original: Any) -> Any:
            def connect(engine: Any, *args: Any, **kwargs: Any) -> Any:
                alike = [one for one in redirected._engines if kind_of_engine(one) == kind_of_engine(engine)]
                if alike and engine is not alike[-1] and redirected._is_of_the_function():
                    redirected._record_effect()
                    engine = alike[-1]
                return original(engine, *args, **kwargs)
            return connect

        self._hooks.replace(base.Engine, "__init__", making)
        for name in ("connect", "raw_connection"):
            self._hooks.replace(base.Engine, name, connecting)

    def _watch_servers(self, driver: str, opener: Opener, module: Any) -> None:
        first = 1 if opener.owner else 0
        redirecting = partial(self._redirecting, driver, first, opener.of_the_call)
        self._hooks.replace(opener.owner_in(module), opener.function, redirecting)

    def _redirecting(self, driver: str, first: int, of_the_call: Tuple[str, ...], original: Any) -> Any:
        """Wrap a driver's function; `first` is the number of arguments before the address (1 for `self` or `cls`)."""
        def connect(*args: Any, **kwargs: Any) -> Any:
            given, kwargs = self._instead_of(driver, args[first:], kwargs, of_the_call)
            return original(*args[:first], *given, **kwargs)
        return connect

    def _instead_of(
        self, driver: str, args: Tuple[Any, ...], kwargs: Dict[str, Any], of_the_call: Tuple[str, ...],
    ) -> Call:
        if self._is_made_by_tests():
            self._calls[driver] = args, kwargs
        elif driver in self._calls and self._is_of_the_function():
            self._record_effect()
            meant, named = self._calls[driver]
            return meant, {**named, **{name: kwargs[name] for name in of_the_call if name in kwargs}}
        return args, kwargs

    def _is_made_by_tests(self) -> bool:
        return self._meant in {(file, line) for file, line, _ in lines()}

    def _is_of_the_function(self) -> bool:
        return self._function in {(file, function) for file, _, function in lines()}
