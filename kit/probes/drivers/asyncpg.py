"""asyncpg: each connection as it opens, the pool that it is for, and what it runs."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

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
_STATEMENTS = ("execute", "executemany", "_execute", "_prepare", "_copy_in", "_copy_out")


class Asyncpg(ServerAdapter):
    """Asks each new connection who its server is, by a statement that leaves nothing behind on either side."""

    name = "asyncpg"
    packages = ("asyncpg",)
    dialects = frozenset({"asyncpg"})
    openers = (
        Opener("asyncpg.connect_utils", "_connect"),
        Opener("asyncpg.pool", "__init__", owner="Pool", makes_pool=True),
    )
    connections = (("asyncpg.connection", "Connection"),)
    pools = (("asyncpg.pool", "Pool"),)

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("asyncpg", self._watch, again=True)

    def _watch(self, asyncpg: Any) -> None:
        from asyncpg import connect_utils, pool
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

        def connecting_to_address(original: Any) -> Any:  # to which a pool goes at once when it has found one
            async def _connect_addr(*args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                try:
                    connection = await original(*args, **kwargs)
                    answer = await probe._answer(connection)
                    if answer is None:  # of no use to anybody: the application gets another one
                        connection = await original(*args, **kwargs)
                        answer = None, NO_ANSWER
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                probe._opened(connection, answer)
                return connection
            return _connect_addr

        def using(original: Any) -> Any:
            name = original.__name__

            async def statement(connection: Any, *args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                if probe._statements and not (name == "execute" and len(args) > 1):  # which goes on to `_execute`
                    probe._used(connection, args[0] if args else "")
                if probe._gated:
                    await probe._about_to_run(connection, args[0] if args else "")
                try:
                    return await original(connection, *args, **kwargs)
                except BaseException as error:
                    out_of_traceback(error)
                    raise
            return statement

        self._replace(connect_utils, "_connect", connecting)
        self._replace(connect_utils, "_connect_addr", connecting_to_address)
        if self._statements or self._gated:
            for name in _STATEMENTS:
                self._replace(Connection, name, using)
        if self._sources is not None:
            self._replace(pool.Pool, "__init__", self._pooling)

    def _pooling(self, original: Any) -> Any:
        probe = self

        def __init__(pool: Any, *connect_args: Any, **kwargs: Any) -> None:
            original(pool, *connect_args, **kwargs)
            probe._made_pool(pool, connect_args[0] if connect_args else kwargs.get("dsn"), kwargs)
        return __init__

    async def _answer(self, connection: Any) -> Optional[Observed]:
        """Ask who the server is; None where there is no answer in time, and then the connection is closed."""
        closed: List[bool] = []

        def close() -> None:
            closed.append(True)
            connection.terminate()

        self._keep(connection, Reached("", None, None))  # what asks runs statements, too
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
        """Look at a statement. It may be of a connection that was not seen as it opened, which is asked first."""
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


async def _ask(connection: Any) -> Observed:
    """Ask in one round trip, or in two where the server does not copy, past what the application has put over it."""
    why_not = None
    for ask in (_copied, _prepared):
        for question, names in POSTGRES_QUESTIONS:
            try:
                return dict(zip(names, await ask(connection, question))), None
            except Exception as error:
                why_not = why_not or reason(error)
    return None, why_not


async def _copied(connection: Any, question: str) -> Sequence[Optional[str]]:
    """Have the answer copied out: asyncpg's only way to rows that does not prepare a statement first."""
    from asyncpg.connection import Connection

    pieces: List[bytes] = []

    async def take(piece: bytes) -> None:
        pieces.append(piece)

    await Connection.copy_from_query(connection, question, output=take)
    return copied_row(b"".join(pieces))


async def _prepared(connection: Any, question: str) -> Sequence[Optional[str]]:
    """Ask by an unnamed statement, which is gone with the next."""
    from asyncpg import Record
    from asyncpg.connection import Connection

    statement = await Connection.prepare(connection, question, name="", record_class=Record)
    return tuple(await statement.fetchrow())


def copied_row(copied: bytes) -> Sequence[Optional[str]]:
    """Read the one row that `copy ... to stdout` gave, in its format `text`: tabs between values, \\N for null."""
    values = copied.decode(errors="replace").rstrip("\n").split("\t")
    return [None if value == "\\N" else _ESCAPE.sub(_unescaped, value) for value in values]


def _unescaped(escape: "re.Match[str]") -> str:
    return _ESCAPED.get(escape[1], escape[1])


def _is_in_transaction(connection: Any) -> bool:
    return not connection.is_closed() and connection.is_in_transaction()
