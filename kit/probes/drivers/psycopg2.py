"""psycopg2: each connection as it opens, the pool that it is for, and when a cursor of it is made."""

from __future__ import annotations

from typing import Any, Dict, Sequence

from ..frames import running
from ..hooks import Hooks, out_of_traceback
from ..identity import POSTGRES_QUESTIONS
from ..own import own_builtins as __builtins__  # noqa: F401
from ..peers import peer_of
from ..redact import learn_all, redact
from .asking import Observed, closed_where_refused, first_answer, postgres_place, told
from .base import Adapter, Opener

_IDLE = 0  # of the connection's states


class Psycopg2(Adapter):
    """Asks outside a transaction. The driver is C: a statement is not seen, the cursor that it needs is."""

    name = "psycopg2"
    packages = ("psycopg2",)
    dialects = frozenset({"psycopg2"})
    openers = (Opener("psycopg2", "connect", database="dbname"),)
    connections = (("psycopg2.extensions", "connection"),)
    pools = (("psycopg2.pool", "AbstractConnectionPool"),)

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._kinds: Dict[type, type] = {}
        hooks.when_imported("psycopg2", self._watch)
        if self._sources is not None:
            hooks.when_imported("psycopg2.pool", self._watch_pools)

    def _watch(self, psycopg2: Any) -> None:
        from psycopg2 import extensions

        probe = self

        def connecting(original: Any) -> Any:
            def connect(dsn: Any = None, connection_factory: Any = None, *args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                learn_all({"dsn": dsn, **kwargs})
                pooled = running("sqlalchemy") is not None
                wanted = extensions.connection if connection_factory is None else connection_factory
                if probe._statements and not pooled and isinstance(wanted, type):
                    connection_factory = probe._telling(wanted)
                try:
                    connection = original(dsn, connection_factory, *args, **kwargs)
                except BaseException as error:
                    probe._databases.failed("psycopg2", told((dsn,), kwargs), error)
                    out_of_traceback(error)
                    raise
                probe._opened(connection, pooled)
                return connection
            return connect

        self._hooks.replace(psycopg2, "connect", connecting)

    def _telling(self, kind: type) -> type:
        """Return the same kind of connection, which tells when a cursor is made: a C type's own methods stay."""
        telling = self._kinds.get(kind)
        if telling is None:
            probe = self

            def cursor(connection: Any, *args: Any, **kwargs: Any) -> Any:
                probe._used(connection)
                return kind.cursor(connection, *args, **kwargs)  # type: ignore[attr-defined]

            names = {"__slots__": (), "__module__": kind.__module__, "__qualname__": kind.__qualname__,
                     "__doc__": kind.__doc__, "cursor": cursor}
            telling = self._kinds[kind] = type(kind.__name__, (kind,), names)
        return telling

    def _watch_pools(self, pool: Any) -> None:
        probe = self

        def pooling(original: Any) -> Any:
            def __init__(pool: Any, minconn: Any, maxconn: Any, *args: Any, **kwargs: Any) -> None:
                dsn = args[0] if args else kwargs.get("dsn")  # it connects as it is made
                probe._databases.made_pool(pool, "psycopg2", told(args, kwargs), dsn, probe._sources)
                original(pool, minconn, maxconn, *args, **kwargs)
            return __init__

        self._hooks.replace(pool.AbstractConnectionPool, "__init__", pooling)

    def _opened(self, connection: Any, pooled: bool) -> None:
        self._databases.forget(connection)
        parameters = connection.get_dsn_parameters()
        peer = peer_of(connection.fileno())
        given = parameters.get("hostaddr")
        place = redact(postgres_place(
            (parameters.get("host"), parameters.get("port")), parameters.get("user"), parameters.get("dbname"),
            (peer.host if peer is not None else given) if given else None,
        ))
        observed, why_not = _ask(connection)
        with closed_where_refused(connection.close):
            self._databases.opened(
                connection, "psycopg2", place, observed, why_not, pooled=pooled,
                engine=self._databases.pool_of(running("psycopg2", "_connect")), asks=_is_in_transaction,
                peer=peer,
            )

    def _used(self, connection: Any) -> None:
        known = self._databases.of(connection)
        if known is not None and not known.pooled:
            self._databases.used(known, "", known.engine, (connection,))


def _ask(connection: Any) -> Observed:
    """Ask with the transaction off that the driver opens for every statement, and put it on again."""
    from psycopg2 import extensions

    if connection.async_:
        return None, "an asynchronous psycopg2 connection cannot be asked before it is ready"

    def ask(question: str) -> Sequence[Any]:
        with extensions.connection.cursor(connection, cursor_factory=extensions.cursor) as cursor:
            cursor.execute(question)
            return tuple(cursor.fetchone())

    autocommit = connection.autocommit
    if not autocommit:
        connection.autocommit = True
    try:
        return first_answer(ask, POSTGRES_QUESTIONS)
    finally:
        if not autocommit:
            connection.autocommit = False


def _is_in_transaction(connection: Any) -> bool:
    return not connection.closed and connection.get_transaction_status() != _IDLE
