"""Interventions on engines, pools and sessions, and on the databases that they connect to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional, Tuple
from weakref import WeakSet

from ..hooks import with_arguments_of
from ..objects import held_by
from ..own import os, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from .base import WORKSPACE, File, Intervention, Rerun

NOWHERE = "kit_nowhere"  # the name of a database that does not exist


@dataclass(frozen=True)
class NoPool(Intervention):
    """Pools of SQLAlchemy and of the drivers close each connection that is returned."""

    op = "no-pool"

    @property
    def label(self) -> str:
        return "without connection pools"

    def apply(self, rerun: Rerun) -> None:
        from ..drivers import ADAPTERS

        def returning(original: Any) -> Any:
            def _do_return_conn(pool: Any, record: Any) -> None:
                rerun.record_effect()
                try:
                    record.close()
                finally:
                    pool._dec_overflow()
            return _do_return_conn

        rerun.hooks.when_imported(
            "sqlalchemy.pool.impl", lambda pools: rerun.hooks.replace(pools.QueuePool, "_do_return_conn", returning)
        )
        for adapter in ADAPTERS:
            adapter.without_pools(rerun.hooks, rerun.record_effect)


@dataclass(frozen=True)
class NoRouting(Intervention):
    """A session that has an engine runs all its statements on that one, without routing."""

    op = "no-routing"

    @property
    def label(self) -> str:
        return "with each session on the engine that it was opened with"

    def apply(self, rerun: Rerun) -> None:
        def watch(orm: Any) -> None:
            by_itself = orm.Session.get_bind

            def making(original: Any) -> Any:
                def __init__(session: Any, *args: Any, **kwargs: Any) -> None:
                    original(session, *args, **kwargs)
                    binds = getattr(session, "binds", None) or getattr(session, "_Session__binds", None)
                    routed = type(session).get_bind is not by_itself or binds
                    if routed and session.bind is not None:
                        rerun.record_effect()
                        own = session.bind
                        session.get_bind = lambda *args, **kwargs: own
                return __init__

            rerun.hooks.replace(orm.Session, "__init__", making)

        rerun.hooks.when_imported("sqlalchemy.orm", watch)


@dataclass(frozen=True)
class NoCreator(Intervention):
    """Engines connect to their URLs, without `creator` functions and do_connect listeners."""

    op = "no-creator"

    @property
    def label(self) -> str:
        return "with each engine connecting to the database that its URL names"

    def apply(self, rerun: Rerun) -> None:
        def making(original: Any) -> Any:
            def create_engine(url: Any, **kwargs: Any) -> Any:
                if kwargs.pop("creator", None) is not None:
                    rerun.record_effect()
                return original(url, **kwargs)
            return create_engine

        def listening(original: Any) -> Any:
            def listen(target: Any, identifier: str, *args: Any, **kwargs: Any) -> None:
                if identifier == "do_connect":
                    rerun.record_effect()
                else:
                    original(target, identifier, *args, **kwargs)
            return listen

        rerun.hooks.when_imported(
            "sqlalchemy.engine.create", lambda module: rerun.hooks.replace(module, "create_engine", making)
        )
        rerun.hooks.when_imported(
            "sqlalchemy.event.api", lambda module: rerun.hooks.replace(module, "listen", listening)
        )


@dataclass(frozen=True)
class OneInMemory(Intervention):
    """An in-memory engine has one connection, shared by all."""

    op = "one-in-memory"

    @property
    def label(self) -> str:
        return "with one connection for all in-memory databases"

    def apply(self, rerun: Rerun) -> None:
        def making(original: Any) -> Any:
            def create_engine(url: Any, **kwargs: Any) -> Any:
                from sqlalchemy.engine import make_url
                from sqlalchemy.pool import StaticPool

                made = make_url(url)
                if made.get_backend_name() == "sqlite" and made.database in (None, "", ":memory:"):
                    rerun.record_effect()
                    arguments = {**(kwargs.get("connect_args") or {}), "check_same_thread": False}
                    kwargs = {**kwargs, "poolclass": StaticPool, "connect_args": arguments}
                return original(url, **kwargs)
            return create_engine

        rerun.hooks.when_imported(
            "sqlalchemy.engine.create", lambda module: rerun.hooks.replace(module, "create_engine", making)
        )


@dataclass(frozen=True)
class CommitAfter(Intervention):
    """Commit the session after a line has flushed or executed."""

    op = "commit"
    file: File
    line: int

    @property
    def label(self) -> str:
        return f"with a commit after {self.file}:{self.line}"

    def apply(self, rerun: Rerun) -> None:
        file = os.path.realpath(self.file)

        def writing(original: Any) -> Any:
            def write(session: Any, *args: Any, **kwargs: Any) -> Any:
                result = original(session, *args, **kwargs)
                if _called_from(file, self.line) and session.in_transaction() and not session._flushing:
                    rerun.record_effect()
                    session.commit()
                return result
            return write

        def watch(orm: Any) -> None:
            for name in ("flush", "execute"):
                rerun.hooks.replace(orm.Session, name, writing)

        rerun.hooks.when_imported("sqlalchemy.orm", watch)


@dataclass(frozen=True)
class RedirectSession(Intervention):
    """A session made at a line uses the engine made at another line, once that exists."""

    op = "redirect-session"
    file: File
    line: int
    engine_file: File
    engine_line: int

    @property
    def label(self) -> str:
        return f"with the session of {self.file}:{self.line} on the tests' engine"

    def apply(self, rerun: Rerun) -> None:
        file, engine_file = os.path.realpath(self.file), os.path.realpath(self.engine_file)
        made: List[Any] = []
        kept: "WeakSet[Any]" = WeakSet()  # sessions made before that engine

        def making_engine(original: Any) -> Any:
            def __init__(engine: Any, *args: Any, **kwargs: Any) -> None:
                original(engine, *args, **kwargs)
                if _called_from(engine_file, self.engine_line):
                    made.append(engine)
            return with_arguments_of(original, __init__)

        def making_session(original: Any) -> Any:
            def __init__(session: Any, *args: Any, **kwargs: Any) -> None:
                original(session, *args, **kwargs)
                if not _called_from(file, self.line):
                    return
                if made:
                    rerun.record_effect()
                    session.bind = made[-1]
                else:
                    kept.add(session)
            return __init__

        def binding(original: Any) -> Any:
            def get_bind(session: Any, *args: Any, **kwargs: Any) -> Any:
                if made and session in kept:
                    rerun.record_effect()
                    return made[-1]
                return original(session, *args, **kwargs)
            return get_bind

        def watch(orm: Any) -> None:
            rerun.hooks.replace(orm.Session, "__init__", making_session)
            rerun.hooks.replace(orm.Session, "get_bind", binding)

        rerun.hooks.when_imported(
            "sqlalchemy.engine.base", lambda module: rerun.hooks.replace(module.Engine, "__init__", making_engine)
        )
        rerun.hooks.when_imported("sqlalchemy.orm", watch)


@dataclass(frozen=True)
class RemoveFirst(Intervention):
    """Remove the scoped session before a line configures its factory."""

    op = "remove-first"
    file: File
    line: int

    @property
    def label(self) -> str:
        return f"with the scoped session removed before {self.file}:{self.line} configures its factory"

    def apply(self, rerun: Rerun) -> None:
        from .elsewhere import lines

        here = os.path.realpath(self.file), self.line
        scopes: "WeakSet[Any]" = WeakSet()

        def making(original: Any) -> Any:
            def __init__(scope: Any, *args: Any, **kwargs: Any) -> None:
                original(scope, *args, **kwargs)
                scopes.add(scope)
            return __init__

        def configuring(original: Any) -> Any:
            def configure(factory: Any, **kwargs: Any) -> None:
                if here in {(file, line) for file, line, _ in lines()}:
                    for scope in [scope for scope in scopes if scope.session_factory is factory]:
                        if scope.registry.has():
                            rerun.record_effect()
                        scope.remove()
                original(factory, **kwargs)
            return configure

        def watch(orm: Any) -> None:
            rerun.hooks.replace(orm.scoped_session, "__init__", making)
            rerun.hooks.replace(orm.sessionmaker, "configure", configuring)

        rerun.hooks.when_imported("sqlalchemy.orm", watch)


@dataclass(frozen=True)
class RedirectConnection(Intervention):
    """Connections made by a function lead to the database that a line of the tests connects to."""

    op = "redirect-connection"
    file: File
    function: str
    made_file: File
    made_line: int

    @property
    def label(self) -> str:
        made = f"{self.made_file}:{self.made_line}"
        return f"with the connections of {self.function} in {self.file} redirected to the database of {made}"

    def apply(self, rerun: Rerun) -> None:
        from .redirected import Redirected

        redirected = Redirected(self, rerun.record_effect)
        redirected.install(rerun.hooks)
        rerun.around.append(redirected.install_around)


@dataclass(frozen=True)
class RedirectEngine(Intervention):
    """An engine or a connection made through all lines in `frames` is redirected to another database.

    The new database is that of the engine made at `engine_file`, if it is of the same kind and exists already; else the
    database `there` (a full URL) if it is of the same kind; else `nowhere`, an empty file, or a server that does not
    exist. `of`: only engines with this URL are redirected; `to`: they go to this URL; both are written as in the
    evidence. `sites`: anything connected through one of these lines is redirected, whatever made the engine. `follow`:
    the new database is the current value of this setting (module.global.attribute['key']), once that names another than
    `until`. `lacks`: only in requests that another process than the tests' serves, and for which this dependency
    (module.name) has no override.
    """

    op = "redirect-engine"
    frames: Tuple[Tuple[File, int], ...] = ()
    engine_file: File = ""
    engine_line: int = 0
    of: str = ""
    to: str = ""
    nowhere: str = f"{WORKSPACE}/{NOWHERE}"
    sites: Tuple[Tuple[File, int], ...] = ()
    there: str = ""
    follow: str = ""
    until: str = ""
    lacks: str = ""

    @property
    def label(self) -> str:
        file, line = (self.frames or self.sites)[0]
        return f"with the connections of {file}:{line} redirected"

    def apply(self, rerun: Rerun) -> None:
        from .elsewhere import Elsewhere

        elsewhere = Elsewhere(self, rerun.record_effect)
        elsewhere.install(rerun.hooks)
        rerun.around.append(elsewhere.install_around)
        rerun.listening.append(elsewhere.listens)


def _called_from(file: str, line: int) -> bool:
    frame: Optional[Any] = sys._getframe(2)
    for _ in range(60):
        if frame is None:
            frame = _outside_of_greenlet()
            if frame is None:
                return False
        if frame.f_lineno == line and os.path.realpath(frame.f_code.co_filename) == file:
            return True
        frame = frame.f_back
    return False


def _outside_of_greenlet() -> Optional[Any]:
    getcurrent = held_by(sys.modules.get("greenlet")).get("getcurrent")
    parent = getcurrent().parent if getcurrent is not None else None
    return parent.gr_frame if parent is not None else None
