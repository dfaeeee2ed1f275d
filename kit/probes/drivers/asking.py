"""Shared by the driver adapters: query a new connection, close it if it is refused, and build its URL."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Optional, Sequence, Tuple

from ..gate import DatabaseRefused
from ..own import own_builtins as __builtins__  # noqa: F401
from ..redact import learn_all, redact

Observed = Tuple[Optional[Dict[str, Any]], Optional[str]]  # the server's identity, or the reason why there is none

SECONDS_FOR_AN_ANSWER = 5.0
NO_ANSWER = f"the server did not answer the identity query within {SECONDS_FOR_AN_ANSWER:.0f} s"

_ADDRESS_KEYWORDS = ("host", "port", "user", "database", "dbname")


@contextmanager
def closed_where_refused(close: Callable[[], Any]) -> Iterator[None]:
    """Call `close` if the gate refuses the connection."""
    try:
        yield
    except DatabaseRefused:
        close()
        raise


def first_answer(ask: Callable[[str], Sequence[Any]], questions: Sequence[Tuple[str, Tuple[str, ...]]]) -> Observed:
    """Try queries, each with its column names, until one succeeds; if none does, the reason is the first error."""
    why_not = None
    for question, names in questions:
        try:
            row = ask(question)
            return dict(zip(names, row)), None
        except Exception as error:
            why_not = why_not or reason(error)
    return None, why_not or "the kit has no identity query for this kind of server"


def postgres_place(
    address: Any, user: Optional[str], database: Optional[str], hostaddr: Optional[str] = None,
) -> str:
    """Return the URL of a Postgres database, without password. `hostaddr` is the address used instead of the host."""
    host, port = address if isinstance(address, tuple) else (address, None)
    query = f"?hostaddr={hostaddr}" if hostaddr else ""
    return f"postgresql://{user or ''}@{host or ''}:{port or ''}/{database or ''}{query}"


def database_of(database: Optional[str], replication: Optional[str]) -> Optional[str]:
    """Return the database of a connection; `*` for a physical replication connection, which copies all of them."""
    return "*" if (replication or "").lower() in ("true", "on", "yes", "1") else database


def told(args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> str:
    """Return the address passed to a driver, as it is or as a URL, without password; "" without one."""
    learn_all({"told": args[:1], **kwargs})
    whole = next((given for given in (*args[:1], kwargs.get("dsn"), kwargs.get("conninfo")) if given), None)
    by_name = any(kwargs.get(name) for name in _ADDRESS_KEYWORDS)
    if isinstance(whole, str) and not (by_name and kwargs.get("host")):  # keywords take precedence
        return redact(whole)
    if not by_name:
        return ""
    address = kwargs.get("host"), kwargs.get("port")
    return redact(postgres_place(address, kwargs.get("user"), kwargs.get("database") or kwargs.get("dbname")))


def text(value: Any) -> Optional[str]:
    """Decode bytes of a driver; return anything else as it is."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def reason(error: BaseException) -> str:
    """Return the type of an error and the first line of its message, without secrets."""
    return redact((f"{type(error).__name__}: {error}".splitlines() or [""])[0])
