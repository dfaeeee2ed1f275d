"""An experiment: the connections that one function opens by itself lead where the tests' own code leads.

Unlike what is led to a place that is not there, this can show that a function goes past what stands in for it: the rest
of the run finds what it needs.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, List, Tuple

from ..drivers import ADAPTERS
from ..drivers.base import Opener
from ..hooks import Hooks
from ..own import os
from ..own import own_builtins as __builtins__  # noqa: F401
from .elsewhere import kind_of_engine, lines

Call = Tuple[Tuple[Any, ...], Dict[str, Any]]
_OF_THE_CALL = ("loop", "connection_class", "record_class")  # among asyncpg's arguments: what leads to no place


class Redirected:
    """Has the function's connections made by the tests' engine, or with what the tests' line gave the driver last.

    `took_hold` is called as often as something is redirected; what the tests have not made yet is not waited for.
    """

    def __init__(self, change: Dict[str, Any], took_hold: Callable[[], None]) -> None:
        self._function = os.path.realpath(change["file"]), change["function"]
        self._meant = os.path.realpath(change["made_file"]), change["made_line"]
        self._took_hold = took_hold
        self._engines: List[Any] = []
        self._calls: Dict[str, Call] = {}  # by driver

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("sqlalchemy.engine.base", self._watch_engines)
        for adapter in ADAPTERS:
            for opener in adapter.openers:
                if not opener.makes_pool:
                    hooks.when_imported(opener.module, partial(self._watch_servers, adapter.name, opener))

    def install_around(self, hooks: Hooks) -> None:
        """Around the probes, which ask for leave to open a file before they do: it must be the file that is opened."""
        hooks.when_imported("sqlite3", self._watch_sqlite3)
        hooks.when_imported("aiosqlite", self._watch_aiosqlite)

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
                    redirected._took_hold()
                    engine = alike[-1]
                return original(engine, *args, **kwargs)
            return connect

        self._hooks.replace(base.Engine, "__init__", making)
        for name in ("connect", "raw_connection"):
            self._hooks.replace(base.Engine, name, connecting)

    def _watch_servers(self, driver: str, opener: Opener, module: Any) -> None:
        self._watch(driver, opener.owner_in(module), opener.function, first=1 if opener.owner else 0)

    def _watch(self, driver: str, owner: Any, name: str, first: int = 0) -> None:
        """`first` is the number of arguments before those that lead to a place: the class of a method."""
        redirected = self

        def connecting(original: Any) -> Any:
            def connect(*args: Any, **kwargs: Any) -> Any:
                given, kwargs = redirected._instead_of(driver, args[first:], kwargs)
                return original(*args[:first], *given, **kwargs)
            return connect

        self._hooks.replace(owner, name, connecting)

    def _watch_sqlite3(self, sqlite3: Any) -> None:
        from sqlite3 import dbapi2

        redirected = self

        def connecting(original: Any) -> Any:
            class Connect:
                """A C function does not become a method when it is an attribute of a class; nor does this."""

                def __call__(self, *args: Any, **kwargs: Any) -> Any:
                    args, kwargs = redirected._instead_of("sqlite", args, kwargs)
                    return original(*args, **kwargs)
            return Connect()

        self._hooks.replace(dbapi2, "connect", connecting)
        self._hooks.replace_by(sqlite3, "connect", dbapi2.connect)

    def _watch_aiosqlite(self, aiosqlite: Any) -> None:
        self._watch("sqlite", aiosqlite.core, "connect")
        self._hooks.replace_by(aiosqlite, "connect", aiosqlite.core.connect)

    def _instead_of(self, driver: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Call:
        if self._is_made_by_tests():
            self._calls[driver] = args, kwargs
        elif driver in self._calls and self._is_of_the_function():
            self._took_hold()
            meant, named = self._calls[driver]
            return meant, {**named, **{name: kwargs[name] for name in _OF_THE_CALL if name in kwargs}}
        return args, kwargs

    def _is_made_by_tests(self) -> bool:
        return self._meant in {(file, line) for file, line, _ in lines()}

    def _is_of_the_function(self) -> bool:
        return self._function in {(file, function) for file, _, function in lines()}
