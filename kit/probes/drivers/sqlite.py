"""sqlite3 and aiosqlite: each connection as it opens, the file behind it, and what it runs."""

from __future__ import annotations

from types import FrameType
from typing import Any, Dict, Optional, Set, Tuple

from ..allow import sqlite_file
from ..attached import Attaching
from ..frames import INTERPRETER, Stack, application_stack, owner, running
from ..hooks import Hooks, out_of_traceback
from ..own import os, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from ..quiet import quietly
from ..redact import redact
from ..threads import is_under_sqlalchemy
from .asking import Observed, reason
from .base import Adapter

_WITH_FILES_OF_THEIR_OWN = ("coverage", "testmon", "IPython")  # tools that keep what they know in SQLite

_READ_WHOLE = 500  # statements of one connection in one phase of a test


class Sqlite(Adapter):
    """The driver is C: its own trace tells of each statement, as long as the application does not use that itself.

    Without `statements` it asks for leave to open a file, or to attach one, and keeps nothing of the connection.
    """

    name = "sqlite3"
    packages = ("sqlite3", "aiosqlite")
    dialects = frozenset({"pysqlite", "pysqlite_numeric", "aiosqlite"})
    connections = (("sqlite3", "Connection"), ("aiosqlite.core", "Connection"))

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._files: Set[str] = set()  # that were opened
        self._in_threads: Dict[int, Attaching] = {}  # by the id of a connection that a thread of aiosqlite's has
        hooks.when_imported("sqlite3", self._watch)
        hooks.when_imported("aiosqlite", self._watch_aiosqlite)

    def _watch(self, sqlite3: Any) -> None:
        from sqlite3 import dbapi2

        probe = self

        def connecting(original: Any) -> Any:
            class Connect:
                """A C function does not become a method when it is an attribute of a class; nor does this."""

                def __call__(self, *args: Any, **kwargs: Any) -> Any:
                    __tracebackhide__ = True
                    if _caller() in _WITH_FILES_OF_THEIR_OWN:
                        return original(*args, **kwargs)
                    database = args[0] if args else kwargs.get("database")
                    path = sqlite_file(database, bool(_argument(args, kwargs, 7, "uri")))
                    probe._databases.asked_for_file(path)
                    told: Dict[str, Any] = {"fresh": True} if probe._statements and probe._is_new(path) else {}
                    try:
                        connection = original(*args, **kwargs)
                    except BaseException as error:
                        probe._databases.failed("sqlite3", _name_of(database), error)
                        out_of_traceback(error)
                        raise
                    if probe._statements:
                        probe._opened(connection, database, told)
                    probe._watch_attaching(connection, bool(_argument(args, kwargs, 7, "uri")))
                    return connection
            return Connect()

        self._hooks.replace(dbapi2, "connect", connecting)
        self._hooks.replace_by(sqlite3, "connect", dbapi2.connect)

    def _watch_aiosqlite(self, aiosqlite: Any) -> None:
        """It connects in a thread of its own, in which nobody's code is on the stack: so it is asked for here."""
        probe = self

        def connecting(original: Any) -> Any:
            def connect(database: Any, *args: Any, **kwargs: Any) -> Any:
                probe._databases.asked_for_file(sqlite_file(database, bool(kwargs.get("uri"))))
                return original(database, *args, **kwargs)
            return connect

        def using(original: Any) -> Any:
            async def _execute(connection: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                stack = application_stack() if _may_attach(args) else None  # an error comes back without its callers
                if probe._statements:
                    probe._used_aiosqlite(connection, function, args)
                try:
                    return await original(connection, function, *args, **kwargs)
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                finally:
                    probe._heard(getattr(connection, "_connection", None), stack)
            return _execute

        self._hooks.replace(aiosqlite.core, "connect", connecting)
        self._hooks.replace_by(aiosqlite, "connect", aiosqlite.core.connect)
        self._hooks.replace(aiosqlite.core.Connection, "_execute", using)

    @quietly
    def _watch_attaching(self, connection: Any, uri: bool) -> None:
        self._in_threads.pop(id(connection), None)
        attaching = Attaching(self._databases, uri, self._statements)
        if attaching.watch(connection) and "aiosqlite" in sys.modules and running("aiosqlite") is not None:
            self._in_threads[id(connection)] = attaching

    def _heard(self, connection: Any, stack: Optional[Stack]) -> None:
        """A call of aiosqlite's is over: tell of what its thread has attached."""
        __tracebackhide__ = True
        attaching = self._in_threads.get(id(connection))
        if attaching is not None and attaching.in_thread:
            attaching.heard(connection, stack)

    def _is_new(self, path: Optional[str]) -> bool:
        """Tell whether a file is about to be made; of each it is told once."""
        if path is None or path in self._files:
            return False
        self._files.add(path)
        try:
            return os.stat(path).st_size == 0
        except (OSError, ValueError):  # the latter where no file can have this name
            return True

    def _opened(self, connection: Any, database: Any, told: Dict[str, Any]) -> None:
        self._databases.forget(connection)
        pooled = running("sqlalchemy") is not None or is_under_sqlalchemy()
        self._databases.opened(
            connection, "sqlite3", redact(_name_of(database)), *_ask(connection), pooled=pooled, **told,
        )
        if not pooled and running("aiosqlite") is None:
            connection.set_trace_callback(self._tracing(self._databases.of(connection)))

    def _tracing(self, known: Any) -> Any:
        """The text comes with its values in it, so that each is another: of a long row, the first word must do."""
        databases = self._databases

        def trace(statement: str) -> None:
            databases.used(known, statement if known.uses_here < _READ_WHOLE else statement[:7])
        return trace

    def _used_aiosqlite(self, connection: Any, function: Any, args: Any) -> None:
        inner = getattr(connection, "_connection", None)
        known = self._databases.of(inner) if inner is not None else None
        if known is None or known.pooled:
            return
        known.shows_ends = True
        if args and isinstance(args[0], str):
            self._databases.used(known, args[0], None, (connection,))
        elif getattr(function, "__name__", "") in ("commit", "rollback", "close"):
            self._databases.ended(known)


def _ask(connection: Any) -> Observed:
    """Ask which file stands behind the connection. In memory there is none: the connection is the database."""
    from sqlite3 import Connection

    try:
        rows = list(Connection.execute(connection, "pragma database_list"))
        file = next((row[2] for row in rows if row[1] == "main"), "")
        return {"file": os.path.realpath(file) if file else None}, None
    except Exception as error:
        return None, reason(error)


def _may_attach(args: Tuple[Any, ...]) -> bool:
    return bool(args) and isinstance(args[0], str) and "attach" in args[0].lower()


def _caller() -> str:
    """Name the package whose code called, past the interpreter's and the probes' own."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and owner(frame.f_code.co_filename) == INTERPRETER:
        frame = frame.f_back
    return "" if frame is None else str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _argument(args: Tuple[Any, ...], kwargs: Dict[str, Any], position: int, name: str) -> Any:
    return args[position] if len(args) > position else kwargs.get(name)


def _name_of(database: Any) -> str:
    return os.fsdecode(database) if isinstance(database, (str, bytes, os.PathLike)) else ""
