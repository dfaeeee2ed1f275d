"""The drivers: each connection as it opens, and the server's own word on who it is."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any, Callable, Dict, Iterator, Optional, Tuple, Union

from .allow import sqlite_file
from .databases import Databases
from .frames import INTERPRETER, owner, under_library
from .gate import DatabaseRefused, GuardedDatabases
from .hooks import Hooks
from .identity import IDENTITY_SQL, answer
from .redact import redact

Observed = Tuple[Optional[Dict[str, Any]], Optional[str]]  # the answer, or why there is none

_WITH_FILES_OF_THEIR_OWN = ("coverage", "testmon", "IPython")  # tools that keep what they know in SQLite


class DriverProbe:
    """Asks each new connection once, before the application gets it, and hands it on as it was.

    Without `statements` it sees connections only, and costs nothing once they are open.
    """

    def __init__(self, databases: Union[Databases, GuardedDatabases], statements: bool = True) -> None:
        self._databases, self._statements = databases, statements

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("asyncpg", self._watch_asyncpg)
        hooks.when_imported("psycopg", self._watch_psycopg)
        hooks.when_imported("psycopg2", self._watch_psycopg2)
        hooks.when_imported("sqlite3", self._watch_sqlite3)
        hooks.when_imported("aiosqlite", self._watch_aiosqlite)

    # --- asyncpg ---------------------------------------------------------------------------------------------------

    def _watch_asyncpg(self, asyncpg: ModuleType) -> None:
        from asyncpg import connect_utils
        from asyncpg.connection import Connection

        probe = self

        def connecting(original: Any) -> Any:
            async def _connect(*args: Any, **kwargs: Any) -> Any:
                connection = await original(*args, **kwargs)
                await probe._opened_asyncpg(connection)
                return connection
            return _connect

        def using(original: Any) -> Any:
            async def statement(connection: Any, *args: Any, **kwargs: Any) -> Any:
                probe._used(connection, args[0] if args else "", (connection, getattr(connection, "_proxy", None)))
                return await original(connection, *args, **kwargs)
            return statement

        self._hooks.replace(connect_utils, "_connect", connecting)
        if self._statements:
            for name in ("execute", "executemany", "_execute", "_prepare", "_copy_in", "_copy_out"):
                self._hooks.replace(Connection, name, using)

    async def _opened_asyncpg(self, connection: Any) -> None:
        self._databases.forget(connection)
        try:
            observed: Observed = answer(await connection.fetchrow(IDENTITY_SQL)), None
        except Exception as error:
            observed = None, _reason(error)
        parameters = connection._params
        place = _place(connection._addr, parameters.user, parameters.database)
        with _closed_where_refused(connection.terminate):
            self._databases.opened(connection, "asyncpg", place, *observed, pooled=under_library("sqlalchemy"))

    # --- psycopg 3 -------------------------------------------------------------------------------------------------

    def _watch_psycopg(self, psycopg: Any) -> None:
        probe = self

        def connecting(own: Any) -> Any:
            def connect(cls: Any, *args: Any, **kwargs: Any) -> Any:
                connection = own.__func__(cls, *args, **kwargs)
                probe._opened_psycopg(connection)
                return connection
            return classmethod(connect)

        def connecting_async(own: Any) -> Any:
            async def connect(cls: Any, *args: Any, **kwargs: Any) -> Any:
                connection = await own.__func__(cls, *args, **kwargs)
                probe._opened_psycopg(connection)
                return connection
            return classmethod(connect)

        self._hooks.replace(psycopg.Connection, "connect", connecting)
        self._hooks.replace(psycopg.AsyncConnection, "connect", connecting_async)
        self._hooks.replace(psycopg, "connect", lambda original: psycopg.Connection.connect)
        if not self._statements:
            return
        for cursor, make in ((psycopg.Cursor, self._executing), (psycopg.AsyncCursor, self._executing_async)):
            for name in ("execute", "executemany"):
                self._hooks.replace(cursor, name, make)

    def _executing(self, original: Any) -> Any:
        probe = self

        def execute(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            probe._used(cursor.connection, query if isinstance(query, str) else "", (cursor.connection,))
            return original(cursor, query, *args, **kwargs)
        return execute

    def _executing_async(self, original: Any) -> Any:
        probe = self

        async def execute(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            probe._used(cursor.connection, query if isinstance(query, str) else "", (cursor.connection,))
            return await original(cursor, query, *args, **kwargs)
        return execute

    def _opened_psycopg(self, connection: Any) -> None:
        self._databases.forget(connection)
        libpq = connection.pgconn
        place = _place((_text(libpq.host), _text(libpq.port)), _text(libpq.user), _text(libpq.db))
        with _closed_where_refused(libpq.finish):
            self._databases.opened(
                connection, "psycopg", place, *_ask_libpq(libpq), pooled=under_library("sqlalchemy"),
            )

    # --- psycopg 2 -------------------------------------------------------------------------------------------------

    def _watch_psycopg2(self, psycopg2: ModuleType) -> None:
        probe = self

        def connecting(original: Any) -> Any:
            def connect(*args: Any, **kwargs: Any) -> Any:
                connection = original(*args, **kwargs)
                probe._opened_psycopg2(connection)
                return connection
            return connect

        self._hooks.replace(psycopg2, "connect", connecting)

    def _opened_psycopg2(self, connection: Any) -> None:
        self._databases.forget(connection)
        parameters = connection.get_dsn_parameters()
        place = _place(
            (parameters.get("host"), parameters.get("port")), parameters.get("user"), parameters.get("dbname"),
        )
        with _closed_where_refused(connection.close):
            self._databases.opened(
                connection, "psycopg2", place, *_ask_psycopg2(connection), pooled=under_library("sqlalchemy"),
            )

    # --- sqlite3 ---------------------------------------------------------------------------------------------------

    def _watch_sqlite3(self, sqlite3: ModuleType) -> None:
        from sqlite3 import dbapi2

        probe = self

        def connecting(original: Any) -> Any:
            def connect(*args: Any, **kwargs: Any) -> Any:
                if _caller() in _WITH_FILES_OF_THEIR_OWN:
                    return original(*args, **kwargs)
                database = args[0] if args else kwargs.get("database")
                probe._databases.asked_for_file(sqlite_file(database, bool(_argument(args, kwargs, 7, "uri"))))
                connection = original(*args, **kwargs)
                probe._opened_sqlite3(connection, database)
                return connection
            return connect

        self._hooks.replace(dbapi2, "connect", connecting)
        self._hooks.replace(sqlite3, "connect", lambda original: dbapi2.connect)

    def _watch_aiosqlite(self, aiosqlite: Any) -> None:
        """It connects in a thread of its own, in which nobody's code is on the stack: so it is asked for here."""
        probe = self

        def connecting(original: Any) -> Any:
            def connect(database: Any, *args: Any, **kwargs: Any) -> Any:
                probe._databases.asked_for_file(sqlite_file(database, bool(kwargs.get("uri"))))
                return original(database, *args, **kwargs)
            return connect

        self._hooks.replace(aiosqlite.core, "connect", connecting)
        self._hooks.replace(aiosqlite, "connect", lambda original: aiosqlite.core.connect)

    def _opened_sqlite3(self, connection: Any, database: Any) -> None:
        self._databases.forget(connection)
        self._databases.opened(
            connection, "sqlite3", redact(os.fsdecode(database)) if database is not None else "", *_ask_sqlite3(connection),
            pooled=under_library("sqlalchemy"),
        )

    def _used(self, driver_connection: Any, statement: str, also: Tuple[Any, ...]) -> None:
        databases = self._databases
        if isinstance(databases, GuardedDatabases):
            return  # it stops connections, and keeps no record of them
        connection = databases.of(driver_connection)
        if connection is not None and not connection.pooled:
            databases.used(connection, statement, None, also)


@contextmanager
def _closed_where_refused(close: Callable[[], Any]) -> Iterator[None]:
    try:
        yield
    except DatabaseRefused:
        close()
        raise


def _caller() -> str:
    """Name the package whose code called, past the interpreter's and the probes' own."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and owner(frame.f_code.co_filename) == INTERPRETER:
        frame = frame.f_back
    return "" if frame is None else str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _argument(args: Tuple[Any, ...], kwargs: Dict[str, Any], position: int, name: str) -> Any:
    return args[position] if len(args) > position else kwargs.get(name)


def _ask_libpq(libpq: Any) -> Observed:
    """Ask below the driver's transactions: the connection is idle before and after."""
    try:
        result = libpq.exec_(IDENTITY_SQL.encode())
        if result.ntuples != 1:
            return None, _text(result.error_message)
        return answer([_text(result.get_value(0, column)) for column in range(result.nfields)]), None
    except Exception as error:
        return None, _reason(error)


def _ask_psycopg2(connection: Any) -> Observed:
    if connection.async_:
        return None, "an asynchronous psycopg2 connection cannot be asked before it is ready"
    try:
        with connection.cursor() as cursor:
            cursor.execute(IDENTITY_SQL)
            return answer(tuple(cursor.fetchone())), None
    except Exception as error:
        return None, _reason(error)
    finally:
        connection.rollback()  # psycopg2 opens a transaction for every statement


def _ask_sqlite3(connection: Any) -> Observed:
    """Ask which file stands behind the connection. In memory there is none: the connection is the database."""
    try:
        rows = connection.execute("pragma database_list").fetchall()
        file = next((row[2] for row in rows if row[1] == "main"), "")
        return {"file": os.path.realpath(file) if file else None}, None
    except Exception as error:
        return None, _reason(error)


def _place(address: Any, user: Optional[str], database: Optional[str]) -> str:
    host, port = address if isinstance(address, tuple) else (address, None)
    return f"postgresql://{user or ''}@{host or ''}:{port or ''}/{database or ''}"


def _text(value: Any) -> Optional[str]:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _reason(error: Exception) -> str:
    return redact(f"{type(error).__name__}: {error}".splitlines()[0])
