"""Plain SQL to a Postgres server with text results, through any driver that is installed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Protocol

from kit.diagnosing.outside.store import SECONDS_AT_MOST, CannotBeAsked
from kit.pair.connect import without_libpq_variables

DRIVERS = ("psycopg", "psycopg2", "asyncpg")
_CONNECTS_S = 5


class Client(Protocol):
    """An open connection. Each method raises CannotBeAsked."""

    def ask(self, sql: str) -> list[tuple[str, ...]]:
        """Run a query whose columns are all text; return its rows."""

    def run(self, sql: str) -> None:
        """Run statements."""


@contextmanager
def connect(host: str, port: str, user: str, database: str, password: str) -> Iterator[Client]:
    """Connect in autocommit mode. Raises CannotBeAsked without a driver or a connection."""
    driver = next((name for name in DRIVERS if find_spec(name) is not None), None)
    if driver is None:
        raise CannotBeAsked(f"none of these drivers is installed beside the kit: {', '.join(DRIVERS)}")
    make = _Asyncpg if driver == "asyncpg" else _DbApi
    client = make(driver, host, port, user, database, password)
    try:
        yield client
    finally:
        client.close()


class _DbApi:
    """psycopg and psycopg2."""

    def __init__(self, driver: str, host: str, port: str, user: str, database: str, password: str) -> None:
        from importlib import import_module

        self._module: Any = import_module(driver)
        options: dict[str, Any] = {"host": host or None, "port": port or None, "user": user or None, "dbname": database}
        if password:
            options["password"] = password
        try:
            with without_libpq_variables():
                self._connection = self._module.connect(**options, connect_timeout=_CONNECTS_S, application_name="kit")
        except self._module.Error as error:
            raise _reason(error) from None
        self._connection.autocommit = True

    def ask(self, sql: str) -> list[tuple[str, ...]]:
        with self._running(sql) as cursor:
            return [tuple(row) for row in cursor.fetchall()]

    def run(self, sql: str) -> None:
        with self._running(sql):
            return

    @contextmanager
    def _running(self, sql: str) -> Iterator[Any]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                yield cursor
        except self._module.Error as error:
            raise _reason(error) from None

    def close(self) -> None:
        self._connection.close()


class _Asyncpg:
    """asyncpg, in an event loop of its own."""

    def __init__(self, driver: str, host: str, port: str, user: str, database: str, password: str) -> None:
        import asyncpg

        self._loop = asyncio.new_event_loop()
        options = {"host": host, "port": int(port) if port else None, "user": user, "database": database,
                   "password": password}  # fmt: skip
        given = {name: value for name, value in options.items() if value}
        settings = {"application_name": "kit"}
        try:
            with without_libpq_variables():
                self._connection: Any = self._wait(asyncpg.connect(
                    **given, timeout=_CONNECTS_S, command_timeout=SECONDS_AT_MOST, server_settings=settings,
                ))
        except CannotBeAsked:
            self._loop.close()
            raise

    def ask(self, sql: str) -> list[tuple[str, ...]]:
        return [tuple(row) for row in self._wait(self._connection.fetch(sql))]

    def run(self, sql: str) -> None:
        self._wait(self._connection.execute(sql))

    def _wait(self, what: Any) -> Any:
        import asyncpg

        try:
            return self._loop.run_until_complete(what)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise _reason(error) from None

    def close(self) -> None:
        try:
            self._wait(self._connection.close())
        finally:
            self._loop.close()


def _reason(error: BaseException) -> CannotBeAsked:
    return CannotBeAsked((f"{type(error).__name__}: {error}".splitlines() or [""])[0])
