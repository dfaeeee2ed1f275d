"""SQLAlchemy: the stack that made each engine, and the engine and session of each statement."""

from __future__ import annotations

from types import CodeType
from typing import Any, Dict, Optional, Set, Tuple
from weakref import ref

from .callables import code_of
from .context import REQUEST
from .databases import Connection, Databases
from .dialects import ask
from .drivers import INNER
from .frames import APPLICATION, Stack, absolute, application_stack, callers, owner
from .hooks import Hooks, out_of_traceback, with_arguments_of
from .objects import attribute, bases, module_of, qualname_of, space_of
from .own import itertools
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .recorder import Recorder
from .redact import learn_all, redact
from .sources import Sources, url_as_text

_FRAMES_OF_A_SCOPE = 6  # SQLAlchemy's own, from Session.__init__ to ScopedRegistry.__call__
_UNSEEN = "no probe saw this driver connect"


class SQLAlchemyProbe:
    """Listens to the library's events; engines and sessions have none for their construction, so `__init__` is wrapped.

    `asks` says whether a connection without a driver probe is queried for its identity through its dialect.
    """

    def __init__(self, recorder: Recorder, databases: Databases, sources: Sources, asks: bool) -> None:
        self._recorder, self._databases, self._sources, self._asks = recorder, databases, sources, asks
        self._objects = databases.objects
        self._listeners: Set[Tuple[Optional[str], CodeType]] = set()  # already recorded, by engine

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("sqlalchemy", self._watch_engines)
        hooks.when_imported("sqlalchemy.orm", self._watch_sessions)

    def _watch_engines(self, sqlalchemy: Any) -> None:
        from sqlalchemy import event
        from sqlalchemy.engine import Connection, Engine
        from sqlalchemy.pool import Pool

        probe = self

        def making(original: Any) -> Any:
            def __init__(engine: Any, pool: Any, dialect: Any, url: Any, *args: Any, **kwargs: Any) -> None:
                original(engine, pool, dialect, url, *args, **kwargs)
                probe._made(engine, pool, dialect, url)
            return with_arguments_of(original, __init__)

        self._hooks.replace(Engine, "__init__", making)
        had_events = Engine._has_events
        self._listen(event, Engine, "before_cursor_execute", self._executing)
        self._listen(event, Engine, "commit", self._committed)
        self._listen(event, Engine, "rollback", self._rolled_back)
        Engine._has_events = had_events  # as the program's own listeners set it; ours set it on Connection below
        self._hooks.replace_by(Connection, "_has_events", _HasEvents())
        self._listen(event, Pool, "connect", self._connected)
        self._listen(event, Pool, "checkin", self._returned)

    def _watch_sessions(self, orm: Any) -> None:
        from sqlalchemy import event
        from sqlalchemy.orm import Session

        probe = self

        def making(original: Any) -> Any:
            def __init__(session: Any, *args: Any, **kwargs: Any) -> None:
                __tracebackhide__ = True
                try:
                    original(session, *args, **kwargs)
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                probe._opened_session(session)
            return __init__

        def making_factory(original: Any) -> Any:
            def __init__(factory: Any, *args: Any, **kwargs: Any) -> None:
                original(factory, *args, **kwargs)
                probe._made_factory(factory)
            return __init__

        def configuring(original: Any) -> Any:
            def configure(factory: Any, *args: Any, **kwargs: Any) -> None:
                before = probe._bound_to(factory)
                original(factory, *args, **kwargs)
                probe._configured(factory, before)
            return configure

        self._hooks.replace(Session, "__init__", making)
        self._hooks.replace(orm.sessionmaker, "__init__", making_factory)
        self._hooks.replace(orm.sessionmaker, "configure", configuring)
        self._listen(event, Session, "after_begin", self._begun)

    def _listen(self, event: Any, target: Any, name: str, listener: Any) -> None:
        event.listen(target, name, listener)
        self._hooks.on_removal(lambda: event.remove(target, name, listener))

    # --- engines and sessions ----------------------------------------------------------------------------------------

    @quietly
    def _made(self, engine: Any, pool: Any, dialect: Any, url: Any) -> None:
        number = self._objects.new("engine", dialect)  # engines derived by execution_options() share the dialect
        full = url_as_text(url) or ""
        learn_all({"url": full})
        self._recorder.event(
            "engine", apart=(full,), engine=number, url=redact(full), dialect=dialect.name, driver=dialect.driver,
            pool=qualname_of(type(pool)), **self._sources.of(full, (url.database, full)),
        )

    @quietly
    def _opened_session(self, session: Any) -> None:
        number = self._objects.new("session", session)
        request = REQUEST.get()
        stack = None
        if request is not None and request.suppliers:
            stack, _, supplier = request.stack()
            if supplier is not None:
                request.supply(session, supplier)
        self._recorder.event(
            "session", stack=stack, session=number, engine=self._engine_of(attribute(session, "bind")),
            factory=self._objects.of("factory", type(session)), scoped=_is_of_a_scope(), **self._routing(session),
        )

    @quietly
    def _made_factory(self, factory: Any) -> None:
        kind = attribute(factory, "class_")
        self._databases.factories.set(kind, application_stack())
        self._objects.new("factory", kind)

    @quietly
    def _bound_to(self, factory: Any) -> Optional[str]:
        keywords = attribute(factory, "kw")
        return self._engine_of(keywords.get("bind")) if type(keywords) is dict else None

    @quietly
    def _configured(self, factory: Any, before: Optional[str]) -> None:
        """Record that a session factory was bound to another engine; sessions it has already made keep theirs."""
        number, engine = self._objects.of("factory", attribute(factory, "class_")), self._bound_to(factory)
        if number is not None and engine is not None and engine != before:
            self._recorder.event("factory_bound", apart=(number, engine), factory=number, engine=engine, before=before)

    def _engine_of(self, bind: Any) -> Optional[str]:
        return self._objects.of("engine", attribute(bind, "dialect")) if bind is not None else None

    def _routing(self, session: Any) -> Dict[str, Any]:
        """Return how a session chooses other engines than its own: its class overrides get_bind, or it has binds."""
        code = code_of(next(space["get_bind"] for space in map(space_of, bases(type(session))) if "get_bind" in space))
        if code is not None and owner(code.co_filename) is APPLICATION:
            at: Stack = ((absolute(code.co_filename), code.co_firstlineno, code.co_name, None),)
            return {"routed_by": "get_bind", "stacks": {"routed_at": at}}
        if attribute(session, "binds") or attribute(session, "_Session__binds"):  # since 2.1, and before
            at = self._databases.factories.get(type(session)) or application_stack()
            return {"routed_by": "binds", "stacks": {"routed_at": at}}
        return {}

    @quietly
    def _begun(self, session: Any, transaction: Any, connection: Any) -> None:
        known = self._connection(connection)
        name = self._objects.of("session", session)
        if known is not None and name is not None:
            known.session = (ref(session), name)

    # --- connections -------------------------------------------------------------------------------------------------

    @quietly
    def _connected(self, dbapi_connection: Any, record: Any) -> None:
        """Assign a new connection to its engine; one that no driver probe saw is queried through its dialect."""
        driver_connection = _innermost(getattr(record, "driver_connection", dbapi_connection))
        known = self._databases.of(driver_connection)
        pool = getattr(record, "_ConnectionRecord__pool", None)
        dialect = getattr(pool, "_dialect", None)
        engine = self._objects.of("engine", dialect)
        if engine is not None and getattr(dialect, "_has_events", False):
            self._record_listeners(engine, dialect)
        if known is not None:
            known.engine, known.pooled, known.shows_ends = engine, True, True
            self._recorder.plain("pooled", connection=known.number, engine=engine)
        elif dialect is not None and driver_connection is not None:
            told = ask(dbapi_connection, dialect) if self._asks else _unobserved(dialect)
            observed, why_not, configured = told
            self._databases.forget(driver_connection)
            self._databases.opened(
                driver_connection, f"{dialect.name}+{dialect.driver}", configured, observed, why_not, pooled=True,
                engine=engine, bound_to_loop=bool(getattr(dialect, "is_async", False)),
            )

    def _record_listeners(self, engine: str, dialect: Any) -> None:
        """Record the application's do_connect listeners, which can change where an engine connects to."""
        for listener in dialect.dispatch.do_connect:
            code = code_of(listener)
            if code is None or owner(code.co_filename) is not APPLICATION or (engine, code) in self._listeners:
                continue
            self._listeners.add((engine, code))
            self._recorder.plain(
                "connect_listener", engine=engine, function=getattr(code, "co_qualname", code.co_name),
                file=absolute(code.co_filename), line=code.co_firstlineno,
            )

    @quietly
    def _returned(self, dbapi_connection: Any, record: Any) -> None:
        known = self._databases.of(_innermost(getattr(record, "driver_connection", dbapi_connection)))
        if known is not None:
            known.session = None
            self._databases.ended(known)

    @quietly
    def _executing(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool,
    ) -> None:
        known = self._connection(connection)
        if known is not None:
            engine = connection.engine
            self._databases.used(known, statement, self._objects.of("engine", engine.dialect), (connection, engine))

    @quietly
    def _committed(self, connection: Any) -> None:
        self._ended(connection, True)

    @quietly
    def _rolled_back(self, connection: Any) -> None:
        self._ended(connection, False)

    def _ended(self, connection: Any, is_commit: bool) -> None:
        known = self._connection(connection)
        if known is not None:
            self._databases.ended(known, is_commit)

    def _connection(self, connection: Any) -> Optional[Connection]:
        """Return the record of a connection; one that no probe saw open is recorded now, without an identity."""
        fairy = connection._dbapi_connection  # `connection.connection` would reconnect if it was closed
        if fairy is None:
            return None
        driver_connection = _innermost(getattr(fairy, "driver_connection", None) or fairy.dbapi_connection)
        known = self._databases.of(driver_connection)
        if known is None and driver_connection is not None:
            engine = connection.engine
            configured = redact(url_as_text(engine.url) or "")
            self._databases.opened(
                driver_connection, f"{engine.dialect.name}+{engine.dialect.driver}", configured, None, _UNSEEN,
                pooled=True, engine=self._objects.of("engine", engine.dialect),
            )
            known = self._databases.of(driver_connection)
        return known


class _HasEvents:
    """Makes SQLAlchemy fire the events of every connection. Assigned values are kept, to be in force after removal."""

    def __get__(self, connection: Any, owner: Any = None) -> bool:
        return True

    def __set__(self, connection: Any, value: bool) -> None:
        vars(connection)["_has_events"] = value


def _is_of_a_scope() -> bool:
    """Return whether the session is being made by a scoped_session, which keeps it until `remove()`."""
    near = itertools.islice(callers("sqlalchemy"), _FRAMES_OF_A_SCOPE)
    return any(
        frame.f_code.co_name == "__call__" and frame.f_code.co_filename.endswith("_collections.py") for frame in near
    )


def _unobserved(dialect: Any) -> Tuple[None, str, str]:
    return None, _UNSEEN, f"{dialect.name}+{dialect.driver}://"


def _innermost(driver_connection: Any) -> Any:
    """Return the connection that the driver probe saw open: one driver can wrap the connection of another."""
    holder = INNER.get(module_of(type(driver_connection)).partition(".")[0])
    return attribute(driver_connection, holder) if holder is not None else driver_connection
