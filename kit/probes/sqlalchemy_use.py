"""SQLAlchemy: which engine was made by whom, and which engine and session each statement came through."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Dict, Optional, Tuple

from .databases import Connection, Databases
from .environ import EnvironmentProbe
from .hooks import Hooks
from .recorder import Recorder
from .redact import redact


class SQLAlchemyProbe:
    """Uses the library's own events where it has one; the constructors of engine and session have none."""

    def __init__(self, recorder: Recorder, databases: Databases, environ: Optional[EnvironmentProbe]) -> None:
        self._recorder, self._databases, self._environ = recorder, databases, environ
        self._engines: Dict[int, str] = {}  # by the id of the dialect, which engines derived from one share
        self._sessions: Dict[int, str] = {}

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("sqlalchemy", self._watch_engines)
        hooks.when_imported("sqlalchemy.orm", self._watch_sessions)

    def _watch_engines(self, sqlalchemy: ModuleType) -> None:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
        from sqlalchemy.pool import Pool

        probe = self

        def making(original: Any) -> Any:
            def __init__(engine: Any, pool: Any, dialect: Any, url: Any, *args: Any, **kwargs: Any) -> None:
                original(engine, pool, dialect, url, *args, **kwargs)
                probe._made(engine, pool, dialect, url)
            return __init__

        self._hooks.replace(Engine, "__init__", making)
        self._listen(event, Engine, "before_cursor_execute", self._executing)
        self._listen(event, Pool, "checkin", self._returned)

    def _watch_sessions(self, orm: ModuleType) -> None:
        from sqlalchemy import event
        from sqlalchemy.orm import Session

        probe = self

        def making(original: Any) -> Any:
            def __init__(session: Any, *args: Any, **kwargs: Any) -> None:
                original(session, *args, **kwargs)
                probe._sessions[id(session)] = number = probe._databases.number("session")
                probe._recorder.event("session", session=number)
            return __init__

        self._hooks.replace(Session, "__init__", making)
        self._listen(event, Session, "after_begin", self._begun)

    def _listen(self, event: Any, target: Any, name: str, listener: Any) -> None:
        event.listen(target, name, listener)
        self._hooks.on_removal(lambda: event.remove(target, name, listener))

    def _made(self, engine: Any, pool: Any, dialect: Any, url: Any) -> None:
        number = self._databases.number("engine")
        self._engines[id(dialect)] = number
        full = url.render_as_string(hide_password=False)
        parts: Tuple[Optional[str], ...] = (url.database, full)
        self._recorder.event(
            "engine", engine=number, url=redact(full), dialect=dialect.name, driver=dialect.driver,
            pool=type(pool).__name__, variables=self._environ.sources_of(full, parts) if self._environ else None,
        )

    def _begun(self, session: Any, transaction: Any, connection: Any) -> None:
        known = self._connection(connection)
        name = self._sessions.get(id(session))
        if known is not None and name is not None:
            known.session = (id(session), name)

    def _returned(self, dbapi_connection: Any, record: Any) -> None:
        known = self._databases.of(_innermost(getattr(record, "driver_connection", dbapi_connection)))
        if known is not None:
            known.session = None

    def _executing(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool,
    ) -> None:
        known = self._connection(connection)
        if known is not None:
            engine = connection.engine
            self._databases.used(known, statement, self._engines.get(id(engine.dialect)), (connection, engine))

    def _connection(self, connection: Any) -> Optional[Connection]:
        """The connection behind SQLAlchemy's; where no driver's probe saw it open, it is written down unobserved."""
        driver_connection = _innermost(connection.connection.driver_connection)
        known = self._databases.of(driver_connection)
        if known is None and driver_connection is not None:
            engine = connection.engine
            self._databases.opened(
                driver_connection, f"{engine.dialect.name}+{engine.dialect.driver}", redact(str(engine.url)), None,
                "no probe saw this driver connect", pooled=True,
            )
            known = self._databases.of(driver_connection)
        return known


def _innermost(driver_connection: Any) -> Any:
    """aiosqlite's connection is a thread around sqlite3's, which is the one that was seen to open."""
    if type(driver_connection).__module__.startswith("aiosqlite"):
        return getattr(driver_connection, "_connection", None)
    return driver_connection
