"""PyMySQL: each connection when it opens, before its first statement; its statements."""

from __future__ import annotations

from typing import Any, Sequence

from ..frames import running
from ..gate import Reached
from ..hooks import Hooks, out_of_traceback
from ..identity import MYSQL_QUESTIONS
from ..own import own_builtins as __builtins__  # noqa: F401
from ..peers import peer_of
from ..redact import learn_all, redact
from .asking import SECONDS_FOR_AN_ANSWER, Observed, closed_where_refused, first_answer, text, told
from .base import Opener, ServerAdapter

_INIT_DB, _QUERY = 2, 3  # commands of the protocol
_IN_TRANSACTION = 1  # a bit of the server status


class PyMySQL(ServerAdapter):
    """The driver is Python code. The identity is queried after authentication, by the protocol's own query command."""

    name = "pymysql"
    packages = ("pymysql",)
    dialects = frozenset({"pymysql"})
    openers = (Opener("pymysql.connections", "__init__", owner="Connection", outweighs=("unix_socket",)),)
    connections = (("pymysql.connections", "Connection"),)
    dialect = "mysql"

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("pymysql.connections", self._watch, again=True)

    def _watch(self, connections: Any) -> None:
        self._kind = connections.Connection
        self._replace(connections.Connection, "connect", self._connecting)
        self._replace(connections.Connection, "_request_authentication", self._logging_in)
        if self._statements or self._gated:
            self._replace(connections.Connection, "_execute_command", self._running)

    def _connecting(self, original: Any) -> Any:
        probe = self

        def connect(connection: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            try:
                return original(connection, *args, **kwargs)
            except BaseException as error:
                probe._databases.failed("pymysql", _place(connection), error)
                out_of_traceback(error)
                raise
        return connect

    def _logging_in(self, original: Any) -> Any:
        probe = self

        def _request_authentication(connection: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            result = original(connection, *args, **kwargs)
            probe._opened(connection)
            return result
        return _request_authentication

    def _opened(self, connection: Any) -> None:
        __tracebackhide__ = True
        self._databases.forget(connection)
        learn_all({"user": text(connection.user), "password": text(connection.password)})
        self._keep(connection, Reached("", None, None))  # else the identity query would start another
        reached = Reached(_place(connection), *_ask(self._kind, connection), peer_of(connection._sock.fileno()))
        with closed_where_refused(connection._force_close):
            self._databases.opened(
                connection, "pymysql", *reached[:3], pooled=running("sqlalchemy") is not None, asks=_is_in_transaction,
                peer=reached.peer,
            )
        self._keep(connection, reached)

    def _running(self, original: Any) -> Any:
        probe = self

        def _execute_command(connection: Any, command: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if command in (_INIT_DB, _QUERY):
                probe._about_to_run(connection, command, sql)
            try:
                return original(connection, command, sql, *args, **kwargs)
            except BaseException as error:
                out_of_traceback(error)
                raise
        return _execute_command

    def _about_to_run(self, connection: Any, command: int, sql: Any) -> None:
        __tracebackhide__ = True
        if not isinstance(sql, (str, bytes)):
            return
        reached = self._reached_by(connection)
        if reached is None and self._gated and connection._sock:
            self._opened(connection)
            reached = self._reached_by(connection)
        statement = sql if isinstance(sql, str) else sql.decode(errors="replace")
        if reached is not None:
            name = statement.replace("`", "``")
            self._databases.about_to_run(f"use `{name}`" if command == _INIT_DB else statement, reached, self.dialect)
        known = self._databases.of(connection) if self._statements and command == _QUERY else None
        if known is not None and not known.pooled:
            self._databases.used(known, statement, known.engine, (connection,))


def _ask(kind: Any, connection: Any) -> Observed:
    def ask(question: str) -> Sequence[Any]:
        kind._execute_command(connection, _QUERY, question)
        kind._read_query_result(connection)
        (row,) = connection._result.rows
        return [None if value is None else str(text(value)) for value in row]

    seconds, connection._read_timeout = connection._read_timeout, SECONDS_FOR_AN_ANSWER
    result, rows = connection._result, connection._affected_rows
    try:
        return first_answer(ask, MYSQL_QUESTIONS)
    finally:
        connection._read_timeout, connection._result, connection._affected_rows = seconds, result, rows


def _place(connection: Any) -> str:
    place = told((), {
        "host": connection.unix_socket or connection.host, "port": None if connection.unix_socket else connection.port,
        "user": text(connection.user), "database": text(connection.db),
    })
    return redact(place.replace("postgresql:", "mysql:", 1))


def _is_in_transaction(connection: Any) -> bool:
    return bool(connection.open) and bool(connection.server_status & _IN_TRANSACTION)
