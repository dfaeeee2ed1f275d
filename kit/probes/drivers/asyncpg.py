"""asyncpg: each connection when it opens; its pool; its statements."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ..frames import running
from ..gate import Reached
from ..hooks import Hooks, out_of_traceback
from ..identity import POSTGRES_QUESTIONS
from ..own import own_builtins as __builtins__  # noqa: F401
from ..own import re
from ..peers import peer_from
from ..redact import learn_all, redact
from .asking import NO_ANSWER, SECONDS_FOR_AN_ANSWER, Observed, closed_where_refused, postgres_place, reason, told
from .base import Opener, ServerAdapter

_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LIMIT: "ContextVar[Any]" = ContextVar("limit_of_connecting", default=None)  # the driver's timeout object
_STATEMENTS = ("execute", "executemany", "_execute", "_prepare", "_copy_in", "_copy_out")


class Asyncpg(ServerAdapter):
    """Queries the identity by a statement that leaves nothing behind, neither in the server nor in the driver."""

    name = "asyncpg"
    packages = ("asyncpg",)
    dialects = frozenset({"asyncpg"})
    openers = (
        Opener("asyncpg.connect_utils", "_connect", of_the_call=("loop", "connection_class", "record_class")),
        Opener("asyncpg.pool", "__init__", owner="Pool", makes_pool=True),
    )
    connections = (("asyncpg.connection", "Connection"),)
    pools = (("asyncpg.pool", "Pool"),)
    visits_sessions = True

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("asyncpg", self._watch, again=True)

    @classmethod
    def without_pools(cls, hooks: Hooks, record_effect: Callable[[], None]) -> None:
        """Make pools open nothing in advance, use a connection for one query, and open it on the acquiring loop."""
        hooks.when_imported("asyncpg.pool", lambda pools: _without_pool(pools.Pool, hooks, record_effect))

    @staticmethod
    def place(connection: Any) -> Optional[str]:
        told = connection._params
        return None if connection.is_closed() else postgres_place(connection._addr, told.user, told.database)

    @staticmethod
    def credentials(connection: Any) -> Optional[Dict[str, str]]:
        told, address = connection._params, connection._addr
        host, port = address if isinstance(address, tuple) else _of_a_socket(address)
        return {
            "host": host, "port": str(port), "user": told.user, "database": told.database or told.user,
            "password": told.password or "",
        }

    def _watch(self, asyncpg: Any) -> None:
        from asyncpg import compat, connect_utils, pool
        from asyncpg.connection import Connection

        probe = self

        def connecting(original: Any) -> Any:
            async def _connect(*args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                try:
                    return await original(*args, **kwargs)
                except BaseException as error:
                    probe._databases.failed("asyncpg", told(args, kwargs), error)
                    out_of_traceback(error)
                    raise
            return _connect

        def connecting_to_address(original: Any) -> Any:  # a pool calls this directly once it knows an address
            async def _connect_addr(*args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                try:
                    connection = await original(*args, **kwargs)
                    with _outside_timeout(connection._loop):
                        answer = await probe._answer(connection)
                    if answer is None:  # closed after the time-out: the application gets another one
                        connection = await original(*args, **kwargs)
                        answer = None, NO_ANSWER
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                probe._opened(connection, answer)
                return connection
            return _connect_addr

        def limiting(original: Any) -> Any:
            def timeout(*args: Any, **kwargs: Any) -> Any:
                limit = original(*args, **kwargs)
                _LIMIT.set(limit)
                return limit
            return timeout

        def using(original: Any) -> Any:
            name = original.__name__

            async def statement(connection: Any, *args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                if probe._statements and not (name == "execute" and len(args) > 1):  # else it calls `_execute`
                    probe._used(connection, args[0] if args else "")
                if probe._gated:
                    await probe._about_to_run(connection, args[0] if args else "")
                try:
                    await probe._visit(connection)
                    found = await original(connection, *args, **kwargs)
                    await probe._visit(connection)
                    return found
                except BaseException as error:
                    out_of_traceback(error)
                    raise
            return statement

        if hasattr(compat, "timeout"):  # since 0.28
            self._replace(compat, "timeout", limiting)
        self._replace(connect_utils, "_connect", connecting)
        self._replace(connect_utils, "_connect_addr", connecting_to_address)
        if self._statements or self._gated:
            for name in _STATEMENTS:
                self._replace(Connection, name, using)
        if self._sources is not None:
            self._replace(pool.Pool, "__init__", self._pooling)

    async def _visit(self, connection: Any) -> None:
        """Let the session be compared in a diagnosis, between two statements of the program's."""
        for visit in self._databases.visitors:
            if not connection.is_closed() and not connection.is_in_transaction():
                await visit(connection, lambda question: _asked_in_loop(connection, question))

    def _pooling(self, original: Any) -> Any:
        probe = self

        def __init__(pool: Any, *connect_args: Any, **kwargs: Any) -> None:
            original(pool, *connect_args, **kwargs)
            probe._made_pool(pool, connect_args[0] if connect_args else kwargs.get("dsn"), kwargs)
        return __init__

    async def _answer(self, connection: Any) -> Optional[Observed]:
        """Query the identity; None if there is no answer in time, after which the connection is closed."""
        closed: List[bool] = []

        def close() -> None:
            closed.append(True)
            connection.terminate()

        self._keep(connection, Reached("", None, None))  # else the identity query would start another
        timer = connection._loop.call_later(SECONDS_FOR_AN_ANSWER, close)
        try:
            answer = await _ask(connection)
        finally:
            timer.cancel()
        return None if closed else answer

    def _opened(self, connection: Any, answer: Observed) -> None:
        __tracebackhide__ = True
        self._databases.forget(connection)
        parameters = connection._params
        learn_all({"user": parameters.user, "password": parameters.password})
        place = redact(postgres_place(connection._addr, parameters.user, parameters.database))
        wire = connection._transport.get_extra_info
        reached = Reached(place, *answer, peer_from(wire("peername"), wire("sockname")))
        pool = running("asyncpg", "_get_new_connection")
        with closed_where_refused(connection.terminate):
            self._databases.opened(
                connection, "asyncpg", *reached[:3], pooled=running("sqlalchemy") is not None,
                engine=self._databases.pool_of(pool), bound_to_loop=True, asks=_is_in_transaction, peer=reached.peer,
            )
        self._keep(connection, reached)

    async def _about_to_run(self, connection: Any, statement: Any) -> None:
        """Judge a statement. A connection that was not seen when it opened is queried first."""
        __tracebackhide__ = True
        reached = self._reached_by(connection)
        if reached is None:
            answer = await self._answer(connection)
            self._opened(connection, (None, NO_ANSWER) if answer is None else answer)
            reached = self._reached_by(connection)
        if isinstance(statement, str) and reached is not None:
            self._databases.about_to_run(statement, reached, self.dialect)

    def _used(self, connection: Any, statement: Any) -> None:
        known = self._databases.of(connection)
        if known is not None and not known.pooled:
            proxy = getattr(connection, "_proxy", None)
            pool = getattr(getattr(proxy, "_holder", None), "_pool", None)
            engine = self._databases.objects.of("engine", pool) if pool is not None else known.engine
            text = statement if isinstance(statement, str) else ""
            self._databases.used(known, text, engine, (connection, proxy, pool))


@contextmanager
def _outside_timeout(loop: Any) -> Iterator[None]:
    """Exclude the time spent here from the connect timeout of the program."""
    limit, begun = _LIMIT.get(), loop.time()
    _extend(limit, SECONDS_FOR_AN_ANSWER)
    try:
        yield
    finally:
        _extend(limit, loop.time() - begun - SECONDS_FOR_AN_ANSWER)


def _extend(limit: Any, seconds: float) -> None:
    """Move the deadline of an active asyncio timeout (before Python 3.11, of async_timeout)."""
    if limit is None:
        return
    try:
        if not hasattr(limit, "reschedule"):
            limit.shift(seconds)
        elif limit.when() is not None:
            limit.reschedule(limit.when() + seconds)
    except RuntimeError:  # expired: it belongs to another connection
        return


async def _ask(connection: Any) -> Observed:
    """Query the identity in one round trip, or two if the server has no COPY, by the base class's own methods."""
    why_not = None
    for ask in (_copied, _prepared):
        for question, names in POSTGRES_QUESTIONS:
            try:
                return dict(zip(names, await ask(connection, question))), None
            except Exception as error:
                why_not = why_not or reason(error)
    return None, why_not


async def _copied(connection: Any, question: str) -> Sequence[Optional[str]]:
    """Query by COPY, asyncpg's only way to read rows without preparing a statement first."""
    from asyncpg.connection import Connection

    pieces: List[bytes] = []

    async def take(piece: bytes) -> None:
        pieces.append(piece)

    await Connection.copy_from_query(connection, question, output=take)
    return copied_row(b"".join(pieces))


async def _prepared(connection: Any, question: str) -> Sequence[Optional[str]]:
    """Query by an unnamed prepared statement, which the next one replaces."""
    from asyncpg import Record
    from asyncpg.connection import Connection

    statement = await Connection.prepare(connection, question, name="", record_class=Record)
    return tuple(await statement.fetchrow())


async def _asked_in_loop(connection: Any, question: str) -> Sequence[Sequence[Optional[str]]]:
    """Run a statement of the kit's by the protocol itself, which neither prepares nor caches anything."""
    if not question.startswith("select"):
        await connection._protocol.query(question, SECONDS_FOR_AN_ANSWER)
        return ()
    pieces: List[bytes] = []

    async def take(piece: bytes) -> None:
        pieces.append(piece)

    await connection._protocol.copy_out(f"copy ({question}) to stdout", take, SECONDS_FOR_AN_ANSWER)
    return [copied_row(line) for line in b"".join(pieces).splitlines(keepends=True)]


def copied_row(copied: bytes) -> Sequence[Optional[str]]:
    r"""Parse the single row of `copy ... to stdout` in text format: tabs between values, \N for null."""
    values = copied.decode(errors="replace").rstrip("\n").split("\t")
    return [None if value == "\\N" else _ESCAPE.sub(_unescaped, value) for value in values]


def _unescaped(escape: "re.Match[str]") -> str:
    return _ESCAPED.get(escape[1], escape[1])


def _is_in_transaction(connection: Any) -> bool:
    return not connection.is_closed() and connection.is_in_transaction()


def _without_pool(pool_class: Any, hooks: Hooks, record_effect: Callable[[], None]) -> None:
    import asyncio

    def making(original: Any) -> Any:
        def __init__(pool: Any, *args: Any, **kwargs: Any) -> None:
            original(pool, *args, **kwargs)
            pool._minsize = pool._initsize = pool._max_queries = 0
        return __init__

    def acquiring(original: Any) -> Any:
        async def _acquire(pool: Any, *args: Any, **kwargs: Any) -> Any:
            record_effect()
            loop = asyncio.get_running_loop()
            if pool._loop is not loop and pool._queue is not None:
                pool._loop, pool._queue = loop, type(pool._queue)(maxsize=pool._maxsize)
                for holder in pool._holders:
                    if holder._in_use is None:
                        pool._queue.put_nowait(holder)
            return await original(pool, *args, **kwargs)
        return _acquire

    hooks.replace(pool_class, "__init__", making)
    hooks.replace(pool_class, "_acquire", acquiring)


def _of_a_socket(path: str) -> Tuple[str, str]:
    """Return the folder of a unix socket, and the port in its name."""
    folder, _, name = path.rpartition("/")
    return folder, name.rpartition(".")[2]
