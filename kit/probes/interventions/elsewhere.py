"""Applies `RedirectEngine`: engines and connections made through certain lines lead to another database."""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Set, Tuple
from urllib.parse import unquote
from weakref import WeakSet

from ..drivers import ADAPTERS
from ..drivers.base import Opener
from ..hooks import Hooks
from ..objects import Notes, held_by
from ..own import os, re, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from ..places import place
from .connections import NOWHERE
from .lacking import Lacking

if TYPE_CHECKING:
    from ..databases import Databases
    from ..settings.probe import SettingsProbe
    from .connections import RedirectEngine

_FRAMES_AT_MOST = 500
_URL = re.compile(
    r"^[\w+]+://(?:(?P<user>[^:@/]*)(?::(?P<password>[^@/]*))?@)?(?P<host>[^:/?@]+)(?::(?P<port>\d+))?/(?P<database>[^?]+)"
)
_IN_MEMORY = ":memory:"
_NO_SERVER: Dict[str, Any] = {"host": "127.0.0.1", "port": 1}
_PORTS = {"postgresql": 5432, "mysql": 3306}  # default ports


class Elsewhere:
    """Redirects engines and connections as `RedirectEngine` describes.

    `record_effect` is called for each redirection.
    """

    def __init__(self, wanted: RedirectEngine, record_effect: Callable[[], None]) -> None:
        self._frames = [(os.path.realpath(file), line) for file, line in wanted.frames]
        self._sites = {(os.path.realpath(file), line) for file, line in wanted.sites}
        self._there, self._follow, self._until = wanted.there, wanted.follow, wanted.until
        self._settings: Optional[SettingsProbe] = None
        self._meant = _line(wanted.engine_file, wanted.engine_line)
        self._file, self._record_effect = wanted.nowhere, record_effect
        self._only, self._to = wanted.of, wanted.to
        self._lacking = Lacking(wanted.lacks) if wanted.lacks else None
        self._redirected: "WeakSet[Any]" = WeakSet()  # dialects, shared with engines derived by execution_options()
        self._rightly: List[Any] = []
        self._nowhere: Dict[str, Any] = {}
        self._named: "Notes[bool]" = Notes()  # peewee databases made through the frames
        self._opens: "ContextVar[bool]" = ContextVar("opens_such_a_one", default=False)

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        if self._lacking is not None:
            self._lacking.install(hooks)
        hooks.when_imported("sqlalchemy.engine.base", self._watch_engines)
        hooks.when_imported("peewee", self._watch_peewee)
        for adapter in ADAPTERS:
            for opener in adapter.openers:
                hooks.when_imported(opener.module, partial(self._redirect_servers, opener, adapter.dialect))

    def install_around(self, hooks: Hooks) -> None:
        """Wrap the probes of files, so that these judge the file that is opened in the end."""
        for adapter in ADAPTERS:
            adapter.around_opening(hooks, self._redirecting_files)

    def listens(self, databases: Databases) -> None:
        """Get the probe of settings, whose values `follow` refers to."""
        self._settings = databases.settings

    def _destination(self) -> str:
        """Return the URL or path of the new database: the followed setting's or the allowed one; "" for none."""
        found = self._settings.text_at(self._follow) if self._follow and self._settings is not None else ""
        return found if found and not _same_place(found, self._until) else self._there

    # --- engines -----------------------------------------------------------------------------------------------------

    def _watch_engines(self, base: Any) -> None:
        elsewhere = self

        def making(original: Any) -> Any:
            def __init__(engine: Any, *args: Any, **kwargs: Any) -> None:
                original(engine, *args, **kwargs)
                places = _places()
                made_here = not elsewhere._sites and places.issuperset(elsewhere._frames)
                if made_here and elsewhere._is_selected(engine):
                    elsewhere._redirected.add(engine.dialect)
                elif elsewhere._meant is not None and elsewhere._meant in places:
                    elsewhere._rightly.append(engine)
            return __init__

        def leading(original: Any) -> Any:
            def connect(engine: Any, *args: Any, **kwargs: Any) -> Any:
                return original(elsewhere._replacement_engine(engine), *args, **kwargs)
            return connect

        self._hooks.replace(base.Engine, "__init__", making)
        for name in ("connect", "raw_connection"):
            self._hooks.replace(base.Engine, name, leading)

    def _watch_peewee(self, peewee: Any) -> None:
        elsewhere = self

        def naming(original: Any) -> Any:
            def init(database: Any, *args: Any, **kwargs: Any) -> None:
                original(database, *args, **kwargs)
                if not elsewhere._sites and _places().issuperset(elsewhere._frames):
                    elsewhere._named.set(database, True)
            return init

        def connecting(original: Any) -> Any:
            def connect(database: Any, *args: Any, **kwargs: Any) -> Any:
                before = elsewhere._opens.get()
                elsewhere._opens.set(bool(elsewhere._named.get(database)))
                try:
                    return original(database, *args, **kwargs)
                finally:
                    elsewhere._opens.set(before)
            return connect

        self._hooks.replace(peewee.Database, "init", naming)
        self._hooks.replace(peewee.Database, "connect", connecting)

    def _replacement_engine(self, engine: Any) -> Any:
        if engine in self._nowhere.values() or not (engine.dialect in self._redirected or self._is_at_a_site()):
            return engine
        if self._follow and _same_place(self._destination(), str(engine.url)):
            return engine
        self._record_effect()
        alike = [other for other in self._rightly if kind_of_engine(other) == kind_of_engine(engine)]
        if engine in alike:
            return engine
        return alike[-1] if alike else self._engine_nowhere(engine)

    def _is_selected(self, engine: Any) -> bool:
        return not self._only or place(str(engine.url)) == place(self._only)

    def _engine_nowhere(self, engine: Any) -> Any:
        key = f"{engine.url} {self._destination()}"
        if key not in self._nowhere:
            from sqlalchemy import create_engine

            self._nowhere[key] = create_engine(self._url_instead(engine))
        return self._nowhere[key]

    def _url_instead(self, engine: Any) -> Any:
        """Return the engine's URL with another place: that of `to`, of the new database, or one that does not exist."""
        if self._to:
            from sqlalchemy.engine import make_url

            given = make_url(self._to)
            return engine.url.set(host=given.host, port=given.port, database=given.database)
        if self._is_there_for(engine.dialect.name):
            from sqlalchemy.engine import make_url

            led = make_url(_as_url(self._destination())).set(drivername=engine.url.drivername)
            return led.set(database=self._resolved_path(engine.url.database or "", led.database or ""))
        is_file = engine.dialect.name == "sqlite"
        nowhere = {"database": self._file} if is_file else {**_NO_SERVER, "database": NOWHERE}
        return engine.url.set(query={}, **nowhere)

    def _resolved_path(self, own: str, name: str) -> str:
        """Resolve a relative path from a setting against the folder that the engine's own path was relative to."""
        before = _as_url(self._until).partition(":///")[2].partition("?")[0]
        from_there = bool(before) and not before.startswith("/") and own.endswith(f"/{before}")
        if not from_there or name.startswith("/") or name in ("", _IN_MEMORY):
            return name
        return own[:-len(before)] + name

    def _is_there_for(self, kind: str) -> bool:
        return _kind_of_url(_as_url(self._destination())) == _kind_of_url(kind)

    # --- drivers -----------------------------------------------------------------------------------------------------

    def _redirecting_files(self, original: Any) -> Any:
        def connect(*args: Any, **kwargs: Any) -> Any:
            return original(*self._file_instead(args, kwargs), **kwargs)
        return connect

    def _file_instead(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Tuple[Any, ...]:
        if not self._is_made_here():
            return args
        self._record_effect()
        kwargs.pop("database", None)
        kwargs.pop("uri", None)
        there = _as_url(self._destination()).partition(":///")[2] or _IN_MEMORY
        return (there if self._is_there_for("sqlite") else self._file, *args[1:])

    def _redirect_servers(self, opener: Opener, kind: str, module: Any) -> None:
        """Wrap a driver's function that connects or makes a pool, to replace the address in its keywords."""
        elsewhere = self

        def connecting(original: Any) -> Any:
            def connect(*args: Any, **kwargs: Any) -> Any:
                if elsewhere._is_made_here():
                    elsewhere._record_effect()
                    args = to_nowhere(opener, args, kwargs, elsewhere._server_instead(opener, kind))
                return original(*args, **kwargs)
            return connect

        self._hooks.replace(opener.owner_in(module), opener.function, connecting)

    def _server_instead(self, opener: Opener, kind: str) -> Dict[str, Any]:
        """Return the keywords for the new server and database, or for a server that does not exist.

        The latter if the new database is of another kind than `kind`, that of the driver's servers.
        """
        given = _URL.match(self._destination())
        if given is None or not self._is_there_for(kind):
            return {**_NO_SERVER, opener.database: NOWHERE}
        port = int(given["port"] or _PORTS[_kind_of_url(kind)])
        named = {"host": given["host"], "port": port, opener.database: unquote(given["database"])}
        secret = {"user": given["user"], "password": given["password"]}
        return {**named, **{name: unquote(value) for name, value in secret.items() if value}}

    def _is_made_here(self) -> bool:
        if self._opens.get():
            return True
        return self._is_at_a_site() if self._sites else _places().issuperset(self._frames)

    def _is_at_a_site(self) -> bool:
        if self._lacking is not None and not self._lacking:
            return False
        return bool(self._sites) and not self._sites.isdisjoint(_places())


def _as_url(text: str) -> str:
    """Return a text that names a database as a URL; a path becomes one of SQLite."""
    return text if not text or "://" in text else f"sqlite:///{'' if text == _IN_MEMORY else text}"


def _same_place(one: str, other: str) -> bool:
    return place(_as_url(one)) == place(_as_url(other))


def _kind_of_url(text: str) -> str:
    """Return the kind of database in a URL or dialect name: "sqlite" for `sqlite+aiosqlite:///x`."""
    kind = text.partition("://")[0].partition("+")[0]
    return {"postgres": "postgresql", "mariadb": "mysql"}.get(kind, kind)


def to_nowhere(
    opener: Opener, args: Tuple[Any, ...], kwargs: Dict[str, Any], instead: Optional[Dict[str, Any]] = None
) -> Tuple[Any, ...]:
    """Replace the address in a driver call's keywords, and return the remaining positional arguments.

    `instead` are the keywords of the new server; by default it is one that does not exist.
    """
    first = 1 if opener.owner else 0  # self or cls
    if opener.arguments:
        kwargs.update(zip(opener.arguments, args[first:]))
        args = args[:first]
    told = kwargs
    if opener.within:
        told = kwargs[opener.within] = dict(kwargs.get(opener.within) or {})
    for name in opener.outweighs:
        told.pop(name, None)
    told.update(instead or {**_NO_SERVER, opener.database: NOWHERE})
    return args


def _line(file: str, line: int) -> Optional[Tuple[str, int]]:
    return (os.path.realpath(file), line) if file and line else None


def kind_of_engine(engine: Any) -> Tuple[str, bool]:
    """Return what two engines must have in common to replace each other: dialect, and whether it is async."""
    return engine.dialect.name, bool(getattr(engine.dialect, "is_async", False))


def _places() -> Set[Tuple[str, int]]:
    return {(file, line) for file, line, _ in lines()}


def lines() -> List[Tuple[str, int, str]]:
    """Return the file, line and function of each frame on the stack, including those outside of a greenlet."""
    found: List[Tuple[str, int, str]] = []
    frame: Optional[FrameType] = sys._getframe(1)
    getcurrent = held_by(sys.modules.get("greenlet")).get("getcurrent")
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
