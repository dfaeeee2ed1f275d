"""psycopg 3: each connection when it opens; its pool; the statements of its cursors."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple
from weakref import ref

from ..frames import running
from ..gate import Reached
from ..hooks import Hooks, out_of_traceback
from ..identity import POSTGRES_QUESTIONS
from ..objects import address, held_by
from ..own import functools, select, sys, time
from ..own import own_builtins as __builtins__  # noqa: F401
from ..peers import Peer, peer_of
from ..redact import learn_all, redact
from .asking import (
    NO_ANSWER,
    SECONDS_FOR_AN_ANSWER,
    Observed,
    closed_where_refused,
    database_of,
    postgres_place,
    reason,
    text,
    told,
)
from .base import Opener, ServerAdapter
from .methods import own_method, watch_lookup

_IDLE = 0  # a transaction status
_SEND = (
    "exec_", "exec_params", "send_query", "send_query_params", "prepare", "send_prepare", "exec_prepared",
    "send_query_prepared",
)


class Psycopg(ServerAdapter):
    """Queries the identity on the libpq connection, below the driver's transactions: it is idle before and after.

    The wait for the answer uses the driver's own generators, so that an event loop is not blocked.
    """

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
    asks_sessions = True

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._answers: Dict[int, Tuple[Any, Observed]] = {}  # id of a libpq connection -> its answer
        hooks.when_imported("psycopg", self._watch, again=True)
        if self._sources is not None:
            hooks.when_imported("psycopg_pool", self._watch_pools, again=True)

    @staticmethod
    def place(connection: Any) -> Optional[str]:
        told = connection.info
        address = told.hostaddr or told.host, told.port
        return None if connection.closed else postgres_place(address, told.user, told.dbname)

    @staticmethod
    def credentials(connection: Any) -> Optional[Dict[str, str]]:
        told = connection.info
        return {
            "host": told.hostaddr or told.host, "port": str(told.port), "user": told.user, "database": told.dbname,
            "password": told.password,
        }

    @staticmethod
    def ask_session(connection: Any, question: str) -> Optional[Sequence[Sequence[Any]]]:
        libpq = connection.pgconn
        if connection.closed or libpq.transaction_status != _IDLE or libpq.pipeline_status:
            return None
        result = own_method(type(libpq), "exec_")(libpq, question.encode())
        columns = range(result.nfields)
        return [[text(result.get_value(row, column)) for column in columns] for row in range(result.ntuples)]

    def _watch(self, psycopg: Any) -> None:
        from psycopg import generators

        original = generators.connect
        self._replace(generators, "connect", self._asking)
        for name, module in list(sys.modules.items()):  # psycopg 3.1 imports it into other modules
            if name.startswith("psycopg.") and held_by(module).get("connect") is original is not generators.connect:
                self._hooks.replace_by(module, "connect", generators.connect)
        for kind in (psycopg.Connection, psycopg.AsyncConnection):
            self._replace(kind, "__init__", self._making)
        if self._statements:
            self._replace(psycopg.Connection, "connect", self._connecting)
            self._replace(psycopg.AsyncConnection, "connect", self._connecting_async)
            self._hooks.replace_by(psycopg, "connect", psycopg.Connection.connect)
            for cursor in (psycopg.Cursor, psycopg.ServerCursor):
                for name in ("execute", "executemany"):
                    self._replace(cursor, name, self._executing)
            for cursor in (psycopg.AsyncCursor, psycopg.AsyncServerCursor):
                for name in ("execute", "executemany"):
                    self._replace(cursor, name, self._executing_async)
        if self._gated:
            for name in _SEND:
                watch_lookup(self._hooks, psycopg.pq.PGconn, name, self._about_to_send, True)
            watch_lookup(self._hooks, psycopg.pq.PGconn, "trace", self._about_to_trace, True)

    # --- as it connects ----------------------------------------------------------------------------------------------

    def _connecting(self, original: Any) -> Any:
        probe = self

        def connect(cls: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            try:
                return original(cls, *args, **kwargs)
            except BaseException as error:
                probe._databases.failed("psycopg", told(args, kwargs), error)
                out_of_traceback(error)
                raise
        return connect

    def _connecting_async(self, original: Any) -> Any:
        probe = self

        async def connect(cls: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            try:
                return await original(cls, *args, **kwargs)
            except BaseException as error:
                probe._databases.failed("psycopg", told(args, kwargs), error)
                out_of_traceback(error)
                raise
        return connect

    def _asking(self, original: Any) -> Any:
        """Wrap the driver's connect generator: it yields while it connects, then in the same way while the query runs.

        A connection whose server does not answer is closed, and the application gets another one.
        """
        probe = self

        def connect(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            libpq = yield from original(*args, **kwargs)
            answer = yield from _answer(libpq)
            if answer is None:
                silent = libpq
                try:  # the other stays open until then, since an event loop identifies connections by descriptor
                    libpq = yield from original(*args, **kwargs)
                finally:
                    silent.finish()
                answer = None, NO_ANSWER
            probe._answers[address(libpq)] = ref(libpq), answer
            return libpq
        return connect

    def _making(self, original: Any) -> Any:
        probe = self

        def __init__(connection: Any, pgconn: Any, *args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            original(connection, pgconn, *args, **kwargs)
            pointer, answer = probe._answers.pop(address(pgconn), (None, None))
            if answer is not None and pointer is not None and pointer() is pgconn:
                probe._opened(connection, answer)
        return __init__

    def _opened(self, connection: Any, answer: Observed) -> None:
        __tracebackhide__ = True
        from psycopg import AsyncConnection

        self._databases.forget(connection)
        libpq = connection.pgconn
        reached = _reached(libpq, answer)
        with closed_where_refused(libpq.finish):
            self._databases.opened(
                connection, "psycopg", *reached[:3], pooled=running("sqlalchemy") is not None,
                engine=self._databases.pool_of(running("psycopg_pool", "_connect")),
                bound_to_loop=isinstance(connection, AsyncConnection), asks=_is_in_transaction, peer=reached.peer,
                of_libpq=True,
            )
        self._keep(libpq, reached)

    # --- what it runs ------------------------------------------------------------------------------------------------

    def _about_to_send(self, libpq: Any, method: Any) -> Any:
        """Wrap a libpq method that sends a statement, to judge the statement first."""
        reached = self._reached_by(libpq)
        if reached is None:
            reached = self._identify_late(libpq)
        return functools.partial(self._send, reached, method)

    def _about_to_trace(self, libpq: Any, method: Any) -> None:
        """Query the identity before the program traces the connection, so that its trace does not show the query."""
        if self._reached_by(libpq) is None and libpq.transaction_status == _IDLE:
            self._identify_late(libpq)

    def _send(self, reached: Reached, method: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        for given in (*args[:2], *kwargs.values()):  # the statement, possibly after the name of a prepared statement
            if isinstance(given, bytes):
                self._databases.about_to_run(given, reached, self.dialect)
        try:
            return method(*args, **kwargs)
        except BaseException as error:
            out_of_traceback(error)
            raise

    def _identify_late(self, libpq: Any) -> Reached:
        """Query a connection that was not seen when it opened, blocking its user until the answer or the time-out."""
        __tracebackhide__ = True
        is_idle = libpq.transaction_status == _IDLE and not libpq.is_busy()
        answer = _wait(_answer(libpq)) if is_idle else (None, "the connection is running another query")
        if answer is None:
            libpq.finish()
            answer = None, NO_ANSWER
        reached = _reached(libpq, answer)
        with closed_where_refused(libpq.finish):
            self._databases.opened(libpq, "psycopg", *reached[:3], pooled=False, peer=reached.peer, of_libpq=True)
        self._keep(libpq, reached)
        return reached

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
            probe._made_pool(pool, args[0] if args else kwargs.get("conninfo"), kwargs.get("kwargs"))
        return __init__

    def _used(self, connection: Any, query: Any) -> None:
        known = self._databases.of(connection)
        if known is not None and not known.pooled:
            self._databases.used(known, _text_of(query), known.engine, (connection, getattr(connection, "_pool", None)))


def _answer(libpq: Any) -> Any:
    """Query the identity, as a generator like the driver's own; None if there is no answer in time."""
    seconds = _seconds(libpq)
    limit = None if _wakes_while_waiting() else _Limit(libpq, seconds)
    try:
        return (yield from _answer_until(time.monotonic() + seconds, limit, libpq))
    finally:
        if limit is not None:
            limit.end()


def _answer_until(deadline: float, limit: Optional[_Limit], libpq: Any) -> Any:
    from psycopg import generators

    why_not, is_over = None, False
    for question, names in POSTGRES_QUESTIONS:
        try:
            own_method(type(libpq), "send_query")(libpq, question.encode())
            running_ = generators.execute(libpq)
            wait = next(running_)
            while True:
                if limit is not None and not limit.is_ready(wait, deadline):
                    return None
                ready = yield libpq.socket, wait
                is_late = time.monotonic() > deadline
                if ready and (is_over or (is_late and limit is not None)):
                    return None
                if not ready and is_late and not is_over:
                    is_over = True
                    _shut_down(libpq.socket)  # the driver processes an error only after the socket has woken it
                if is_over:
                    continue
                wait = running_.send(ready)
        except StopIteration as done:
            result = done.value[-1]
            if result.ntuples == 1:
                row = [text(result.get_value(0, column)) for column in range(result.nfields)]
                return dict(zip(names, row)), None
            why_not = why_not or f"LookupError: {(text(result.error_message) or '').partition(chr(10))[0]}"
        except Exception as error:
            why_not = why_not or reason(error)
    return None, why_not


def _seconds(libpq: Any) -> float:
    """Return how long to wait for an answer: at most half of a connect_timeout that the application has set."""
    given = _option(libpq, b"connect_timeout")
    own = float(given) if given and given.isdigit() else 0.0
    return min(SECONDS_FOR_AN_ANSWER, own / 2) if own else SECONDS_FOR_AN_ANSWER


def _option(libpq: Any, name: bytes) -> Optional[bytes]:
    """Return the value of a libpq option of a connection; None without one."""
    return next((option.val for option in libpq.info if option.keyword == name), None)


def _wait(answer: Any) -> Any:
    """Wait for an answer outside an event loop, as the driver does when it blocks."""
    from psycopg.waiting import wait_conn

    return wait_conn(answer, interval=0.1) if _wakes_while_waiting() else wait_conn(answer)


def _wakes_while_waiting() -> bool:
    """Return whether the driver wakes up at intervals while it waits. psycopg 3.1 does not, even after a time-out."""
    from psycopg.waiting import wait_conn

    return "interval" in wait_conn.__code__.co_varnames


class _Limit:
    """Limits the wait in a driver that does not wake up at intervals.

    If the driver blocks, `is_ready` waits before it does. In an event loop, a timer shuts the connection down, which
    wakes the driver up.
    """

    def __init__(self, libpq: Any, seconds: float) -> None:
        self._socket, self._timer = libpq.socket, None
        self._blocks = running("psycopg", "wait_conn_async") is None
        if not self._blocks:
            from asyncio import get_running_loop

            self._timer = get_running_loop().call_later(seconds, _shut_down, self._socket)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def is_ready(self, wait: int, deadline: float) -> bool:
        """Wait until the driver would not block; False after the deadline."""
        if not self._blocks:
            return True
        number, left = [self._socket], max(0.0, deadline - time.monotonic())
        return any(select.select(number if wait & 1 else [], number if wait & 2 else [], [], left))


def _shut_down(number: int) -> None:
    """Shut a connection down by its descriptor, which stays open, to wake up those who wait for it."""
    from _socket import SHUT_RDWR, dup, socket

    own = socket(fileno=dup(number))
    try:
        own.shutdown(SHUT_RDWR)
    finally:
        own.close()


def _reached(libpq: Any, answer: Observed) -> Reached:
    learn_all({"user": text(libpq.user), "password": text(libpq.password)})
    peer = peer_of(libpq.socket)
    database = database_of(text(libpq.db), text(_option(libpq, b"replication")))
    place = postgres_place(
        (text(libpq.host), text(libpq.port)), text(libpq.user), database, _hostaddr(libpq, peer),
    )
    return Reached(redact(place), *answer, peer)


def _hostaddr(libpq: Any, peer: Optional[Peer]) -> Optional[str]:
    """Return the address that was used instead of the host, if `hostaddr` was set; else None."""
    given = _option(libpq, b"hostaddr")
    return (peer.host if peer is not None else text(given)) if given else None


def _text_of(query: Any) -> str:
    """Return the text of a statement; of a composed one the first part, which has its verb."""
    while not isinstance(query, (str, bytes)):
        query = getattr(query, "_obj", "")
        if isinstance(query, (list, tuple)):
            query = query[0] if query else ""
    return text(query) or ""


def _is_in_transaction(connection: Any) -> bool:
    return not connection.closed and connection.pgconn.transaction_status != _IDLE
