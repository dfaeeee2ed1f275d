"""psycopg2: each connection when it opens; its pool; the making of its cursors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Optional, Sequence, Union

from ..frames import running
from ..gate import Reached
from ..hooks import Hooks, out_of_traceback
from ..identity import POSTGRES_QUESTIONS
from ..maintenance import may_name
from ..own import functools, select, time
from ..own import own_builtins as __builtins__  # noqa: F401
from ..peers import peer_of
from ..redact import learn_all, redact
from .asking import (
    SECONDS_FOR_AN_ANSWER,
    Observed,
    closed_where_refused,
    database_of,
    first_answer,
    postgres_place,
    told,
)
from .base import Opener, ServerAdapter
from .methods import own_method, watch_lookup

_IDLE = 0  # a transaction status


class Psycopg2(ServerAdapter):
    """Queries the identity outside a transaction. The classes are C code: a use is recorded when a cursor is made."""

    name = "psycopg2"
    packages = ("psycopg2",)
    dialects = frozenset({"psycopg2"})
    openers = (Opener("psycopg2", "connect", database="dbname"),)
    connections = (("psycopg2.extensions", "connection"),)
    pools = (("psycopg2.pool", "AbstractConnectionPool"),)
    asks_sessions = True

    @staticmethod
    def ask_session(connection: Any, question: str) -> Optional[Sequence[Sequence[Any]]]:
        from psycopg2 import extensions

        kind = extensions.connection
        is_ready = not connection.closed and not kind.async_.__get__(connection)
        if not is_ready or kind.get_transaction_status(connection) != _IDLE:
            return None
        with _asking(connection) as ask:
            return ask(question)

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("psycopg2", self._watch, again=True)
        if self._sources is not None:
            hooks.when_imported("psycopg2.pool", self._watch_pools, again=True)

    @staticmethod
    def place(connection: Any) -> Optional[str]:
        told = connection.get_dsn_parameters()
        address = told.get("hostaddr") or told.get("host"), told.get("port")
        return None if connection.closed else postgres_place(address, told.get("user"), told.get("dbname"))

    @staticmethod
    def credentials(connection: Any) -> Optional[Dict[str, str]]:
        told = connection.get_dsn_parameters()
        host = told.get("hostaddr") or told.get("host")
        return {
            "host": host or "", "port": told.get("port") or "", "user": told.get("user") or "",
            "database": told.get("dbname") or "", "password": connection.info.password or "",
        }

    def _watch(self, psycopg2: Any) -> None:
        from psycopg2 import _psycopg

        self._replace(_psycopg, "_connect", self._connecting)  # where a reloaded psycopg2 imports it from
        if psycopg2._connect is not _psycopg._connect:
            self._hooks.replace_by(psycopg2, "_connect", _psycopg._connect)
        for name in ("cursor", "lobject"):
            watch_lookup(self._hooks, _psycopg.connection, name, self._making_cursor, self._gated)
        if self._gated:
            for name in ("execute", "executemany", "copy_expert"):
                watch_lookup(self._hooks, _psycopg.cursor, name, self._about_to_run, True)

    def _connecting(self, original: Any) -> Any:
        probe = self

        def _connect(dsn: Any, connection_factory: Any = None, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            learn_all({"dsn": dsn, **kwargs})
            try:
                connection = original(dsn, connection_factory, *args, **kwargs)
            except BaseException as error:
                probe._databases.failed("psycopg2", told((dsn,), kwargs), error)
                out_of_traceback(error)
                raise
            if isinstance(connection, _kind()):
                probe._opened(connection)
            return connection
        return _connect

    def _making_cursor(self, connection: Any, method: Any) -> None:
        """Record a use when a cursor is requested. A connection that was not seen when it opened is queried first."""
        __tracebackhide__ = True
        if self._reached_by(connection) is None and not connection.closed:
            self._opened(connection)
        if self._statements:
            self._used(connection)

    def _about_to_run(self, cursor: Any, method: Any) -> Any:
        """Wrap a cursor method that sends a statement, to judge the statement first."""
        return functools.partial(self._run, cursor, method)

    def _run(self, cursor: Any, method: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        connection = cursor.connection
        if self._reached_by(connection) is None:  # the cursor was made by calling its class
            self._opened(connection)
        reached = self._reached_by(connection)
        statement = args[0] if args else kwargs.get("query", kwargs.get("sql"))
        values = args[1] if len(args) > 1 else kwargs.get("vars", kwargs.get("vars_list"))
        if reached is not None:
            self._databases.about_to_run(_text_of(cursor, statement, values), reached, self.dialect)
        try:
            return method(*args, **kwargs)
        except BaseException as error:
            out_of_traceback(error)
            raise

    def _watch_pools(self, pool: Any) -> None:
        probe = self

        def pooling(original: Any) -> Any:
            def __init__(pool: Any, minconn: Any, maxconn: Any, *args: Any, **kwargs: Any) -> None:
                probe._made_pool(pool, args[0] if args else kwargs.get("dsn"), kwargs)  # it connects in its constructor
                original(pool, minconn, maxconn, *args, **kwargs)
            return __init__

        self._hooks.replace(pool.AbstractConnectionPool, "__init__", pooling)

    def _opened(self, connection: Any) -> None:
        __tracebackhide__ = True
        self._databases.forget(connection)
        kind = _kind()
        if kind.closed.__get__(connection) or kind.fileno(connection) < 0:  # a connection factory may return anything
            return
        parameters = kind.get_dsn_parameters(connection)
        peer = peer_of(kind.fileno(connection))
        given = parameters.get("hostaddr")
        place = redact(postgres_place(
            (parameters.get("host"), parameters.get("port")), parameters.get("user"),
            database_of(parameters.get("dbname"), parameters.get("replication")),
            (peer.host if peer is not None else given) if given else None,
        ))
        reached = Reached(place, *_ask(connection), peer)
        with closed_where_refused(functools.partial(kind.close, connection)):
            self._databases.opened(
                connection, "psycopg2", *reached[:3], pooled=running("sqlalchemy") is not None,
                engine=self._databases.pool_of(running("psycopg2", "_connect")), asks=_is_in_transaction, peer=peer,
                of_libpq=True,
            )
        self._keep(connection, reached)

    def _used(self, connection: Any) -> None:
        known = self._databases.of(connection)
        if known is not None and not known.pooled:
            self._databases.used(known, "", known.engine, (connection,))


def _kind() -> Any:
    from psycopg2 import extensions

    return extensions.connection


def _ask(connection: Any) -> Observed:
    """Query the identity. Within an open transaction (of a connection not seen when it opened) as a part of that."""
    from psycopg2 import extensions

    if extensions.connection.async_.__get__(connection):
        return None, "an asynchronous connection of psycopg2 cannot run a query before it is ready"
    with _asking(connection) as ask:
        return first_answer(lambda question: ask(question)[0], POSTGRES_QUESTIONS)


@contextmanager
def _asking(connection: Any) -> Iterator[Callable[[str], Sequence[Any]]]:
    """Yield a function that runs a query in autocommit mode, so that the driver opens no transaction."""
    from psycopg2 import extensions

    kind = extensions.connection

    def ask(question: str) -> Sequence[Any]:
        with own_method(kind, "cursor")(connection, cursor_factory=extensions.cursor) as cursor:
            own_method(extensions.cursor, "execute")(cursor, question)
            return list(extensions.cursor.fetchall(cursor)) if cursor.description is not None else []

    autocommit = kind.autocommit
    switches = not autocommit.__get__(connection) and kind.get_transaction_status(connection) == _IDLE
    waiting = extensions.get_wait_callback()
    if waiting is not None:
        extensions.set_wait_callback(functools.partial(_wait, waiting))
    if switches:
        autocommit.__set__(connection, True)
    try:
        yield ask
    finally:
        if switches:
            autocommit.__set__(connection, False)
        if waiting is not None:
            extensions.set_wait_callback(waiting)


def _wait(waiting: Any, connection: Any) -> None:
    """Wait for the server without the program's wait callback, which may raise errors.

    A server that does not answer may run in another greenlet of this process: then the callback continues the wait.
    """
    from psycopg2 import extensions

    kind, until = extensions.connection, time.monotonic() + SECONDS_FOR_AN_ANSWER
    while (state := kind.poll(connection)) != extensions.POLL_OK:
        number, left = [kind.fileno(connection)], until - time.monotonic()
        ways = ([], number) if state == extensions.POLL_WRITE else (number, [])
        if left <= 0 or not any(select.select(*ways, [], left)):
            waiting(connection)
            return


def _text_of(cursor: Any, statement: Any, values: Any) -> Union[str, bytes]:
    """Return a statement as it will be sent, with its parameters if it may name a database."""
    if hasattr(statement, "as_string"):
        statement = statement.as_string(cursor)
    if not isinstance(statement, (str, bytes)):
        return ""
    if values and may_name(statement):
        from psycopg2 import extensions

        mogrified: bytes = extensions.cursor.mogrify(cursor, statement, values)
        return mogrified
    return statement


def _is_in_transaction(connection: Any) -> bool:
    return not connection.closed and connection.get_transaction_status() != _IDLE
