"""aiomysql: each connection when it opens, before its first statement; its pool; its statements."""

from __future__ import annotations

from typing import Any, Callable, List, Optional

from ..frames import application_stack, running
from ..gate import Reached
from ..hooks import Hooks, out_of_traceback
from ..identity import MYSQL_QUESTIONS
from ..own import own_builtins as __builtins__  # noqa: F401
from ..peers import Peer, peer_from
from ..quiet import failed, quietly, switched_off
from ..redact import learn_all, redact
from .asking import NO_ANSWER, SECONDS_FOR_AN_ANSWER, Observed, closed_where_refused, reason, text, told
from .base import Opener, ServerAdapter

_INIT_DB, _QUERY = 2, 3  # commands of the protocol
_IN_TRANSACTION = 1  # a bit of the server status
_ASKING = "Aiomysql._answer"  # the name under which its failure is recorded
NO_PROBE = "the probe does not know this version of the driver"
_OUTWEIGH = ("unix_socket", "read_default_file")


class _NoAnswer(Exception):
    """The server did not answer in time, and the connection was closed. The driver cleans up and connects again."""


class Aiomysql(ServerAdapter):
    """The driver is Python code. The identity is queried after authentication, by the protocol's own query command."""

    name = "aiomysql"
    packages = ("aiomysql",)
    dialects = frozenset({"aiomysql"})
    openers = (
        Opener(
            "aiomysql.connection", "__init__", owner="Connection", database="db", outweighs=_OUTWEIGH,
            arguments=("host", "user", "password", "db", "port", "unix_socket"), of_the_call=("loop", "echo"),
        ),
        Opener(
            "aiomysql.pool", "__init__", owner="Pool", database="db", makes_pool=True, outweighs=_OUTWEIGH,
            arguments=("minsize", "maxsize", "echo", "pool_recycle", "loop"),
            of_the_call=("minsize", "maxsize", "echo", "pool_recycle", "loop"),
        ),
    )
    connections = (("aiomysql.connection", "Connection"),)
    pools = (("aiomysql.pool", "Pool"),)
    dialect = "mysql"

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._unasked: List[Any] = []  # connections of servers that did not answer, while they reconnect
        hooks.when_imported("aiomysql.connection", self._watch, again=True)
        if self._sources is not None:
            hooks.when_imported("aiomysql.pool", self._watch_pools, again=True)

    @classmethod
    def without_pools(cls, hooks: Hooks, record_effect: Callable[[], None]) -> None:
        """Make pools open no connection in advance, and close each connection that is returned."""
        hooks.when_imported("aiomysql.pool", lambda pools: _without_pool(pools.Pool, hooks, record_effect))

    @staticmethod
    def place(connection: Any) -> Optional[str]:
        return None if connection.closed else _place(connection)

    def _watch(self, connections: Any) -> None:
        self._kind = connections.Connection
        self._replace(connections.Connection, "_connect", self._connecting)
        self._replace(connections.Connection, "_request_authentication", self._logging_in)
        if self._statements or self._gated:
            self._replace(connections.Connection, "_execute_command", self._running)

    def _watch_pools(self, pools: Any) -> None:
        self._replace(pools.Pool, "__init__", self._pooling)

    def _connecting(self, original: Any) -> Any:
        probe = self

        async def _connect(connection: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            stack = application_stack()  # an error thrown into the coroutine lacks the caller's frames
            try:
                try:
                    return await original(connection, *args, **kwargs)
                except _NoAnswer:
                    return await probe._reconnect(original, connection, args, kwargs)
            except BaseException as error:
                probe._databases.failed("aiomysql", redact(_place(connection)), error, stack=stack)
                out_of_traceback(error)
                raise
        return _connect

    async def _reconnect(self, original: Any, connection: Any, args: Any, kwargs: Any) -> Any:
        """Reconnect without the identity query, since the connection that gave no answer was closed."""
        __tracebackhide__ = True
        self._unasked.append(connection)
        try:
            return await original(connection, *args, **kwargs)
        finally:
            self._unasked.remove(connection)

    def _logging_in(self, original: Any) -> Any:
        probe = self

        async def _request_authentication(connection: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            result = await original(connection, *args, **kwargs)
            await probe._asked(connection)
            return result
        return _request_authentication

    def _running(self, original: Any) -> Any:
        probe = self

        async def _execute_command(connection: Any, command: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if command in (_INIT_DB, _QUERY):
                await probe._about_to_run(connection, command, sql)
            try:
                return await original(connection, command, sql, *args, **kwargs)
            except BaseException as error:
                out_of_traceback(error)
                raise
        return _execute_command

    def _pooling(self, original: Any) -> Any:
        probe = self

        def __init__(pool: Any, *args: Any, **kwargs: Any) -> None:
            original(pool, *args, **kwargs)
            probe._made(pool, kwargs)
        return __init__

    @quietly
    def _made(self, pool: Any, given: Any) -> None:
        place = _url(given.get("host", "localhost"), given.get("port", 3306), given.get("unix_socket"), given)
        self._databases.made_pool(pool, self.name, place, "", self._sources, self.dialect)

    async def _asked(self, connection: Any) -> None:
        """Query a new connection for the identity of its server, and record it."""
        __tracebackhide__ = True
        self._databases.forget(connection)
        learn_all({"user": text(connection.user), "password": text(getattr(connection, "_password", None))})
        if any(one is connection for one in self._unasked):
            answer: Observed = (None, NO_ANSWER)
        else:
            answer = await self._answer(connection)
        self._opened(connection, answer)

    async def _answer(self, connection: Any) -> Observed:
        """Query the identity; switched off if this version of the driver has other internals than those used here."""
        if _ASKING in switched_off():
            return None, NO_PROBE
        closed: List[bool] = []

        def close() -> None:
            closed.append(True)
            connection.close()

        self._keep(connection, Reached("", None, None))  # else the identity query would start another
        timer = connection.loop.call_later(SECONDS_FOR_AN_ANSWER, close)
        try:
            answer = await _ask(self._kind, connection)
        except Exception as error:
            failed(_ASKING, error)
            answer = None, NO_PROBE
        finally:
            timer.cancel()
        if closed:
            raise _NoAnswer
        return answer

    def _opened(self, connection: Any, answer: Observed) -> None:
        __tracebackhide__ = True
        reached = Reached(redact(_place(connection)), *answer, self._peer(connection))
        pool = running("aiomysql", "_fill_free_pool")
        with closed_where_refused(connection.close):
            self._databases.opened(
                connection, "aiomysql", *reached[:3], pooled=running("sqlalchemy") is not None,
                engine=self._databases.pool_of(pool), bound_to_loop=True, asks=_is_in_transaction,
                peer=reached.peer,
            )
        self._keep(connection, reached)

    @quietly
    def _peer(self, connection: Any) -> Optional[Peer]:
        wire = connection._writer.get_extra_info
        return peer_from(wire("peername"), wire("sockname"))

    async def _about_to_run(self, connection: Any, command: int, sql: Any) -> None:
        """Judge and record a statement. A connection that was not seen when it opened is queried first."""
        __tracebackhide__ = True
        if not isinstance(sql, (str, bytes)):
            return
        reached = self._reached_by(connection)
        if reached is None and self._gated and not connection.closed:
            try:
                await self._asked(connection)
            except _NoAnswer:
                self._opened(connection, (None, NO_ANSWER))
            reached = self._reached_by(connection)
        statement = sql if isinstance(sql, str) else sql.decode(errors="replace")
        if reached is not None:
            name = statement.replace("`", "``")
            self._databases.about_to_run(f"use `{name}`" if command == _INIT_DB else statement, reached, self.dialect)
        known = self._databases.of(connection) if self._statements and command == _QUERY else None
        if known is not None and not known.pooled:
            self._databases.used(known, statement, known.engine, (connection,))


async def _ask(kind: Any, connection: Any) -> Observed:
    """Query the identity by the protocol's own query command, and restore the connection's last result."""
    why_not = None
    result, rows = connection._result, connection._affected_rows
    try:
        for question, names in MYSQL_QUESTIONS:
            try:
                await kind._execute_command(connection, _QUERY, question)
                await kind._read_query_result(connection)
                (row,) = connection._result.rows
                return dict(zip(names, [None if value is None else str(text(value)) for value in row])), None
            except Exception as error:
                why_not = why_not or reason(error)
    finally:
        connection._result, connection._affected_rows = result, rows
    return None, why_not


def _place(connection: Any) -> str:
    named = {"user": connection.user, "db": connection.db}
    return _url(connection.host, connection.port, connection.unix_socket, named)


def _url(host: Any, port: Any, socket: Any, named: Any) -> str:
    address = {"host": socket or host, "port": None if socket else port}
    place = told((), {**address, "user": text(named.get("user")), "database": text(named.get("db"))})
    return place.replace("postgresql:", "mysql:", 1)


def _is_in_transaction(connection: Any) -> bool:
    return not connection.closed and bool(connection.server_status & _IN_TRANSACTION)


def _without_pool(pool_class: Any, hooks: Hooks, record_effect: Callable[[], None]) -> None:
    def making(original: Any) -> Any:
        def __init__(pool: Any, *args: Any, **kwargs: Any) -> None:
            original(pool, *args, **kwargs)
            pool._minsize = 0
        return __init__

    def releasing(original: Any) -> Any:
        def release(pool: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
            if connection in pool._used:
                record_effect()
                connection.close()
            return original(pool, connection, *args, **kwargs)
        return release

    hooks.replace(pool_class, "__init__", making)
    hooks.replace(pool_class, "release", releasing)
