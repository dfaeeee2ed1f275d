"""psycopg 3: each connection as it opens, the pool that it is for, and what its cursors run."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from ..frames import running
from ..hooks import Hooks, out_of_traceback
from ..identity import POSTGRES_QUESTIONS
from ..own import own_builtins as __builtins__  # noqa: F401
from ..peers import Peer, peer_of
from ..redact import learn_all, redact
from .asking import closed_where_refused, first_answer, postgres_place, text, told
from .base import Adapter, Opener

_IDLE = 0  # of the connection's states


class Psycopg(Adapter):
    """Asks below the driver's transactions, by its own libpq: the connection is idle before and after."""

    name = "psycopg"
    packages = ("psycopg", "psycopg_pool")
    dialects = frozenset({"psycopg", "psycopg_async"})
    openers = (
        Opener("psycopg", "connect", owner="Connection", database="dbname"),
        Opener("psycopg", "connect", owner="AsyncConnection", database="dbname"),
        *(
            Opener("psycopg_pool", "__init__", owner=pool, database="dbname", within="kwargs", makes_pool=True)
            for pool in ("ConnectionPool", "AsyncConnectionPool")
        ),
    )
    connections = (("psycopg", "Connection"), ("psycopg", "AsyncConnection"))
    pools = (("psycopg_pool.pool", "ConnectionPool"), ("psycopg_pool.pool_async", "AsyncConnectionPool"))

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("psycopg", self._watch)
        if self._sources is not None:
            hooks.when_imported("psycopg_pool", self._watch_pools)

    def _watch(self, psycopg: Any) -> None:
        probe = self

        def connecting(original: Any) -> Any:
            def connect(cls: Any, *args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                try:
                    connection = original(cls, *args, **kwargs)
                except BaseException as error:
                    probe._databases.failed("psycopg", told(args, kwargs), error)
                    out_of_traceback(error)
                    raise
                probe._opened(connection, False)
                return connection
            return connect

        def connecting_async(original: Any) -> Any:
            async def connect(cls: Any, *args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                try:
                    connection = await original(cls, *args, **kwargs)
                except BaseException as error:
                    probe._databases.failed("psycopg", told(args, kwargs), error)
                    out_of_traceback(error)
                    raise
                probe._opened(connection, True)
                return connection
            return connect

        self._hooks.replace(psycopg.Connection, "connect", connecting)
        self._hooks.replace(psycopg.AsyncConnection, "connect", connecting_async)
        self._hooks.replace_by(psycopg, "connect", psycopg.Connection.connect)
        if self._statements:
            for cursor in (psycopg.Cursor, psycopg.ServerCursor):
                for name in ("execute", "executemany"):
                    self._hooks.replace(cursor, name, self._executing)
            for cursor in (psycopg.AsyncCursor, psycopg.AsyncServerCursor):
                for name in ("execute", "executemany"):
                    self._hooks.replace(cursor, name, self._executing_async)

    def _executing(self, original: Any) -> Any:
        probe = self

        def execute(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            probe._used(cursor.connection, query)
            try:
                return original(cursor, query, *args, **kwargs)
            except BaseException as error:
                out_of_traceback(error)
                raise
        return execute

    def _executing_async(self, original: Any) -> Any:
        probe = self

        async def execute(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            probe._used(cursor.connection, query)
            try:
                return await original(cursor, query, *args, **kwargs)
            except BaseException as error:
                out_of_traceback(error)
                raise
        return execute

    def _watch_pools(self, psycopg_pool: Any) -> None:
        for name in ("ConnectionPool", "AsyncConnectionPool"):
            self._hooks.replace(getattr(psycopg_pool, name), "__init__", self._pooling)

    def _pooling(self, original: Any) -> Any:
        probe = self

        def __init__(pool: Any, *args: Any, **kwargs: Any) -> None:
            original(pool, *args, **kwargs)
            conninfo = args[0] if args else kwargs.get("conninfo", "")
            probe._databases.made_pool(pool, "psycopg", told((conninfo,), kwargs.get("kwargs") or {}), conninfo,
                                       probe._sources)
        return __init__

    def _opened(self, connection: Any, is_async: bool) -> None:
        self._databases.forget(connection)
        libpq = connection.pgconn
        learn_all({"user": text(libpq.user), "password": text(libpq.password)})
        peer = peer_of(libpq.socket)
        place = redact(postgres_place(
            (text(libpq.host), text(libpq.port)), text(libpq.user), text(libpq.db), _hostaddr(libpq, peer),
        ))
        observed, why_not = first_answer(lambda question: _ask(libpq, question), POSTGRES_QUESTIONS)
        with closed_where_refused(libpq.finish):
            self._databases.opened(
                connection, "psycopg", place, observed, why_not, pooled=running("sqlalchemy") is not None,
                engine=self._databases.pool_of(running("psycopg_pool", "_connect")), bound_to_loop=is_async,
                asks=_is_in_transaction, peer=peer,
            )

    def _used(self, connection: Any, query: Any) -> None:
        known = self._databases.of(connection)
        if known is not None and not known.pooled:
            self._databases.used(known, _text_of(query), known.engine, (connection, getattr(connection, "_pool", None)))


def _ask(libpq: Any, question: str) -> Sequence[Any]:
    result = libpq.exec_(question.encode())
    if result.ntuples != 1:
        raise LookupError(text(result.error_message))
    return [text(result.get_value(0, column)) for column in range(result.nfields)]


def _hostaddr(libpq: Any, peer: Optional[Peer]) -> Optional[str]:
    """Return the address that was gone to instead of the host, where an address was given by itself."""
    given = next((option.val for option in libpq.info if option.keyword == b"hostaddr"), None)
    return (peer.host if peer is not None else text(given)) if given else None


def _text_of(query: Any) -> str:
    """Return a statement's text; of one that is composed, its first piece, which tells what it does."""
    while not isinstance(query, (str, bytes)):
        query = getattr(query, "_obj", "")
        if isinstance(query, (list, tuple)):
            query = query[0] if query else ""
    return text(query) or ""


def _is_in_transaction(connection: Any) -> bool:
    return not connection.closed and connection.pgconn.transaction_status != _IDLE
