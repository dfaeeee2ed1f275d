"""pg8000: each connection when it opens, through any of its interfaces, and its statements."""

from __future__ import annotations

from typing import Any, ClassVar, Optional, Sequence

from ..frames import running
from ..gate import Reached
from ..hooks import Hooks, out_of_traceback
from ..identity import POSTGRES_QUESTIONS
from ..own import own_builtins as __builtins__  # noqa: F401
from ..peers import Peer, peer_of
from ..quiet import quietly
from ..redact import learn_all, redact
from .asking import NO_ANSWER, SECONDS_FOR_AN_ANSWER, Observed, closed_where_refused, first_answer, postgres_place, told
from .base import Opener, ServerAdapter

NO_PROBE = "the probe does not know this version of the driver"

_ARGUMENTS = ("user", "host", "database", "port", "password", "source_address", "unix_sock")
_NO_TRANSACTION = (b"I", None)  # None before the first statement
_STATEMENTS = ("execute_simple", "execute_unnamed", "prepare_statement")


class Pg8000(ServerAdapter):
    """The driver is Python code. The identity is queried by the simple query protocol, which opens no transaction."""

    name = "pg8000"
    packages = ("pg8000",)
    dialects = frozenset({"pg8000"})
    openers = (
        Opener(
            "pg8000.core", "__init__", owner="CoreConnection", arguments=_ARGUMENTS, outweighs=("unix_sock", "sock"),
        ),
    )
    connections = (("pg8000.core", "CoreConnection"),)
    asks_sessions = True
    _simple: ClassVar[Any] = None  # the driver's own function for the simple query protocol, once it is wrapped

    @staticmethod
    def ask_session(connection: Any, question: str) -> Optional[Sequence[Sequence[Any]]]:
        if connection._usock is None or connection._transaction_status not in _NO_TRANSACTION:
            return None
        ask = Pg8000._simple or type(connection).execute_simple
        return ask(connection, question).rows or ()

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("pg8000.core", self._watch, again=True)

    def _watch(self, core: Any) -> None:
        self._kind = core.CoreConnection
        self._replace(core.CoreConnection, "__init__", self._connecting)
        if self._statements or self._gated:
            for name in _STATEMENTS:
                self._replace(core.CoreConnection, name, self._running)

    def _connecting(self, original: Any) -> Any:
        probe = self

        def __init__(connection: Any, *args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            given = {**dict(zip(_ARGUMENTS, args)), **kwargs}
            try:
                original(connection, *args, **kwargs)
                answer = probe._answer(connection)
                if answer[0] is None and "timeout" in str(answer[1]).lower():  # unusable after the time-out: reconnect
                    original(connection, *args, **kwargs)
                    answer = None, NO_ANSWER
            except BaseException as error:
                probe._databases.failed("pg8000", told((), given), error)
                out_of_traceback(error)
                raise
            probe._opened(connection, given, answer)
        return __init__

    def _answer(self, connection: Any) -> Observed:
        return self._asked(connection) or (None, NO_PROBE)

    @quietly
    def _asked(self, connection: Any) -> Optional[Observed]:
        self._keep(connection, Reached("", None, None))  # else the identity query would start another
        seconds = connection._usock.gettimeout()
        connection._usock.settimeout(SECONDS_FOR_AN_ANSWER)

        def ask(question: str) -> Sequence[Any]:
            (row,) = self._kind.execute_simple(connection, question).rows
            return tuple(row)

        try:
            return first_answer(ask, POSTGRES_QUESTIONS)
        finally:
            if connection._usock is not None:
                connection._usock.settimeout(seconds)

    def _opened(self, connection: Any, given: Any, answer: Observed) -> None:
        __tracebackhide__ = True
        self._databases.forget(connection)
        learn_all({"user": given.get("user"), "password": given.get("password")})
        user = given.get("user")
        place = postgres_place(
            given.get("unix_sock") or (given.get("host", "localhost"), given.get("port", 5432)), user,
            given.get("database") or user,
        )
        reached = Reached(redact(place), *answer, self._peer(connection))
        with closed_where_refused(lambda: self._kind.close(connection)):
            self._databases.opened(
                connection, "pg8000", *reached[:3], pooled=running("sqlalchemy") is not None, asks=_is_in_transaction,
                peer=reached.peer,
            )
        self._keep(connection, reached)

    @quietly
    def _peer(self, connection: Any) -> Optional[Peer]:
        return peer_of(connection._usock.fileno())

    def _running(self, original: Any) -> Any:
        probe = self
        if original.__name__ == "execute_simple":
            Pg8000._simple = staticmethod(original)

        def run(connection: Any, statement: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if isinstance(statement, (str, bytes)):
                probe._about_to_run(connection, statement)
            try:
                return original(connection, statement, *args, **kwargs)
            except BaseException as error:
                out_of_traceback(error)
                raise
        return run

    def _about_to_run(self, connection: Any, statement: Any) -> None:
        __tracebackhide__ = True
        reached = self._reached_by(connection)
        if reached is None and self._gated:
            self._opened(connection, {"user": _user(connection)}, self._answer(connection))
            reached = self._reached_by(connection)
        if reached is not None:
            self._databases.about_to_run(statement, reached, self.dialect)
        known = self._databases.of(connection) if self._statements else None
        if known is not None and not known.pooled:
            self._databases.used(known, statement if isinstance(statement, str) else "", known.engine, (connection,))


def _user(connection: Any) -> str:
    user = connection.user
    return user.decode(errors="replace") if isinstance(user, (bytes, bytearray)) else str(user)


def _is_in_transaction(connection: Any) -> bool:
    return connection._usock is not None and connection._transaction_status in (b"T", b"E")
