"""asyncpg: each connection as it opens, the pool that it is for, and what it runs."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

from ..frames import running
from ..hooks import Hooks, out_of_traceback
from ..identity import POSTGRES_QUESTIONS
from ..own import own_builtins as __builtins__  # noqa: F401
from ..own import re
from ..peers import peer_from
from ..redact import learn_all, redact
from .asking import Observed, closed_where_refused, postgres_place, reason, told
from .base import Adapter, Opener

_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_STATEMENTS = ("execute", "executemany", "_execute", "_prepare", "_copy_in", "_copy_out")


class Asyncpg(Adapter):
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
        hooks.when_imported("asyncpg", self._watch)

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
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                await probe._opened(connection)
                return connection
            return _connect_addr

        def using(original: Any) -> Any:
            name = original.__name__

            async def statement(connection: Any, *args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                if not (name == "execute" and len(args) > 1):  # which goes on to `_execute`
                    probe._used(connection, args[0] if args else "")
                try:
                    return await original(connection, *args, **kwargs)
                except BaseException as error:
                    out_of_traceback(error)
                    raise
            return statement

        self._hooks.replace(connect_utils, "_connect", connecting)
        self._hooks.replace(connect_utils, "_connect_addr", connecting_to_address)
        if self._statements:
            for name in _STATEMENTS:
                self._hooks.replace(Connection, name, using)
        if self._sources is not None:
            self._hooks.replace(pool.Pool, "__init__", self._pooling)

    def _pooling(self, original: Any) -> Any:
        probe = self

        def __init__(pool: Any, *connect_args: Any, **kwargs: Any) -> None:
            original(pool, *connect_args, **kwargs)
            probe._databases.made_pool(
                pool, "asyncpg", told(connect_args, kwargs), connect_args[0] if connect_args else kwargs.get("dsn"),
                probe._sources,
            )
        return __init__

    async def _opened(self, connection: Any) -> None:
        self._databases.forget(connection)
        observed, why_not = await _ask(connection)
        parameters = connection._params
        learn_all({"user": parameters.user, "password": parameters.password})
        place = redact(postgres_place(connection._addr, parameters.user, parameters.database))
        wire = connection._transport.get_extra_info
        pool = running("asyncpg", "_get_new_connection")
        with closed_where_refused(connection.terminate):
            self._databases.opened(
                connection, "asyncpg", place, observed, why_not, pooled=running("sqlalchemy") is not None,
                engine=self._databases.pool_of(pool), bound_to_loop=True, asks=_is_in_transaction,
                peer=peer_from(wire("peername"), wire("sockname")),
            )

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
