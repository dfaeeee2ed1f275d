"""An experiment: what was made by way of certain lines leads to another database than the one that it names."""

from __future__ import annotations

from functools import partial
from types import FrameType, ModuleType
from typing import Any, Callable, Dict, List, Optional, Set, Tuple
from weakref import WeakSet

from ..drivers import ADAPTERS
from ..drivers.base import Opener
from ..hooks import Hooks
from ..own import os, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from ..places import place

_FRAMES_AT_MOST = 500
NOWHERE = "kit_nowhere"  # the name of a database that is not there
_NO_SERVER: Dict[str, Any] = {"host": "127.0.0.1", "port": 1}


class Elsewhere:
    """Leads engines to one that the tests have made, where it is of the same kind and already there; else nowhere.

    With `of` it is those alone whose URL names this place, with `to` they lead to that one.

    `took_hold` is called as often as something is led elsewhere.
    """

    def __init__(self, change: Dict[str, Any], took_hold: Callable[[], None]) -> None:
        self._frames = [(os.path.realpath(file), line) for file, line in change["frames"]]
        self._meant = _line(change.get("engine_file"), change.get("engine_line"))
        self._file, self._took_hold = change["nowhere"], took_hold
        self._only, self._to = change.get("of"), change.get("to")  # URLs, as evidence shows them
        self._astray: "WeakSet[Any]" = WeakSet()  # dialects, which the engines that are derived from one share
        self._rightly: List[Any] = []
        self._nowhere: Dict[str, Any] = {}

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("sqlalchemy.engine.base", self._watch_engines)
        for adapter in ADAPTERS:
            for opener in adapter.openers:
                hooks.when_imported(opener.module, partial(self._lead_servers, opener))

    def install_around(self, hooks: Hooks) -> None:
        """Around the probes, which ask for leave to open a file before they do: it must be the file that is opened."""
        hooks.when_imported("sqlite3", self._watch_sqlite3)
        hooks.when_imported("aiosqlite", self._watch_aiosqlite)

    # --- engines -----------------------------------------------------------------------------------------------------

    def _watch_engines(self, base: Any) -> None:
        elsewhere = self

        def making(original: Any) -> Any:
            def __init__(engine: Any, *args: Any, **kwargs: Any) -> None:
                original(engine, *args, **kwargs)
                places = _places()
                if places.issuperset(elsewhere._frames) and elsewhere._is_meant(engine):
                    elsewhere._astray.add(engine.dialect)
                elif elsewhere._meant is not None and elsewhere._meant in places:
                    elsewhere._rightly.append(engine)
            return __init__

        def leading(original: Any) -> Any:
            def connect(engine: Any, *args: Any, **kwargs: Any) -> Any:
                return original(elsewhere._instead_of(engine), *args, **kwargs)
            return connect

        self._hooks.replace(base.Engine, "__init__", making)
        for name in ("connect", "raw_connection"):
            self._hooks.replace(base.Engine, name, leading)

    def _instead_of(self, engine: Any) -> Any:
        if engine.dialect not in self._astray:
            return engine
        self._took_hold()
        alike = [other for other in self._rightly if kind_of_engine(other) == kind_of_engine(engine)]
        return alike[-1] if alike else self._engine_nowhere(engine)

    def _is_meant(self, engine: Any) -> bool:
        return self._only is None or place(str(engine.url)) == place(self._only)

    def _engine_nowhere(self, engine: Any) -> Any:
        key = str(engine.url)
        if key not in self._nowhere:
            from sqlalchemy import create_engine

            self._nowhere[key] = create_engine(self._url_instead(engine))
        return self._nowhere[key]

    def _url_instead(self, engine: Any) -> Any:
        """The URL of no database; or that of the place which is given, with the engine's own user and password."""
        if self._to is not None:
            from sqlalchemy.engine import make_url

            given = make_url(self._to)
            return engine.url.set(host=given.host, port=given.port, database=given.database)
        is_file = engine.dialect.name == "sqlite"
        nowhere = {"database": self._file} if is_file else {**_NO_SERVER, "database": NOWHERE}
        return engine.url.set(query={}, **nowhere)

    # --- drivers -----------------------------------------------------------------------------------------------------

    def _watch_sqlite3(self, sqlite3: ModuleType) -> None:
        from sqlite3 import dbapi2

        elsewhere = self

        def connecting(original: Any) -> Any:
            class Connect:
                """A C function does not become a method when it is an attribute of a class; nor does this."""

                def __call__(self, *args: Any, **kwargs: Any) -> Any:
                    return original(*elsewhere._file_instead(args, kwargs), **kwargs)
            return Connect()

        self._hooks.replace(dbapi2, "connect", connecting)
        self._hooks.replace_by(sqlite3, "connect", dbapi2.connect)

    def _watch_aiosqlite(self, aiosqlite: Any) -> None:
        elsewhere = self

        def connecting(original: Any) -> Any:
            def connect(*args: Any, **kwargs: Any) -> Any:
                return original(*elsewhere._file_instead(args, kwargs), **kwargs)
            return connect

        self._hooks.replace(aiosqlite.core, "connect", connecting)
        self._hooks.replace_by(aiosqlite, "connect", aiosqlite.core.connect)

    def _file_instead(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Tuple[Any, ...]:
        if not self._is_made_here():
            return args
        self._took_hold()
        kwargs.pop("database", None)
        kwargs.pop("uri", None)
        return (self._file, *args[1:])

    def _lead_servers(self, opener: Opener, module: Any) -> None:
        """Change what a driver's own connect, or the making of its pool, is told by keyword, which goes first."""
        elsewhere = self

        def connecting(original: Any) -> Any:
            def connect(*args: Any, **kwargs: Any) -> Any:
                if elsewhere._is_made_here():
                    elsewhere._took_hold()
                    told = kwargs
                    if opener.within:
                        told = kwargs[opener.within] = dict(kwargs.get(opener.within) or {})
                    told.update(_NO_SERVER, **{opener.database: NOWHERE})
                return original(*args, **kwargs)
            return connect

        self._hooks.replace(opener.owner_in(module), opener.function, connecting)

    def _is_made_here(self) -> bool:
        return _places().issuperset(self._frames)


def _line(file: Optional[str], line: Optional[int]) -> Optional[Tuple[str, int]]:
    return (os.path.realpath(file), line) if file and line else None


def kind_of_engine(engine: Any) -> Tuple[str, bool]:
    """What an engine must have in common with another to stand in for it: its dialect, and whether it is async."""
    return engine.dialect.name, bool(getattr(engine.dialect, "is_async", False))


def _places() -> Set[Tuple[str, int]]:
    return {(file, line) for file, line, _ in lines()}


def lines() -> List[Tuple[str, int, str]]:
    """Return the file, line and function of every frame that led here, also from outside of a greenlet."""
    found: List[Tuple[str, int, str]] = []
    frame: Optional[FrameType] = sys._getframe(1)
    getcurrent = getattr(sys.modules.get("greenlet"), "getcurrent", None)
    greenlet = getcurrent() if getcurrent is not None else None
    while len(found) < _FRAMES_AT_MOST:
        while frame is None and greenlet is not None:
            greenlet = greenlet.parent
            frame = greenlet.gr_frame if greenlet is not None else None
        if frame is None:
            break
        code = frame.f_code
        function = getattr(code, "co_qualname", code.co_name)
        found.append((os.path.realpath(code.co_filename), frame.f_lineno, function))
        frame = frame.f_back
    return found
