"""The kit's own connections, and the query for a server's identity. The only module that imports the driver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from kit.errors import PairError
from kit.pair.model import IDENTITY_SQL, Identity
from kit.pair.places import APP

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT_S = 10
# The passwords are random, so more rounds add no security, only time to each of thousands of connections. 4096 is the
# minimum of RFC 7677, and some drivers require it.
SCRAM_ROUNDS = 4096


def connect(url: str, *, application: str = "kit-pair", options: str = "") -> psycopg.Connection[tuple[Any, ...]]:
    """Open a connection in autocommit mode, marked as the kit's own. Raises PairError naming host and port."""
    load_driver()
    import psycopg

    try:
        return open_connection(
            url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name=application, options=options
        )
    except psycopg.Error as error:
        raise unreachable(url, str(error)) from None


def open_connection(url: str, **settings: Any) -> psycopg.Connection[tuple[Any, ...]]:
    """Call psycopg.connect with this URL and these settings, isolated from the user's libpq variables."""
    import psycopg

    with without_libpq_variables():
        return psycopg.connect(url, **settings)


def libpq_variables() -> list[str]:
    """The variables with which libpq and asyncpg complete a URL: all whose names begin with PG."""
    return [name for name in os.environ if name.startswith("PG")]


class _Hidden:
    """Removes libpq's variables from this process's environment while at least one connection is being opened.

    Settings of a connection cannot do this: PGSERVICE and PGTZ override both omitted and given settings.
    """

    def __init__(self) -> None:
        self.lock, self.count = threading.Lock(), 0
        self.kept: dict[str, str] = {}

    def __enter__(self) -> None:
        with self.lock:
            self.count += 1
            self.kept |= {name: os.environ.pop(name) for name in libpq_variables()}

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.count -= 1
            if self.count == 0:
                for name, value in self.kept.items():
                    os.environ.setdefault(name, value)
                self.kept.clear()


_hidden = _Hidden()


def without_libpq_variables() -> AbstractContextManager[None]:
    """A context in which new connections use only their own settings, not the user's libpq variables."""
    return _hidden


def load_driver() -> None:
    """Import psycopg, the slowest import of this package. Raises PairError when it is not installed."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise PairError(
            f"the driver psycopg cannot be imported: {error}", remedy=f"pip install '{APP}[notebooks]'"
        ) from error


def identify(url: str) -> Identity:
    """Ask the server behind `url` for its identity. Raises PairError when it cannot be reached or reports none."""
    with connect(url) as connection:
        import psycopg

        try:
            return ask_identity(connection)
        except psycopg.Error as error:
            raise PairError(
                f"{_place(url)} does not report its identity: {' '.join(str(error).split())}",
                wanted="PostgreSQL 14 or newer, with pg_control_system() open to every role, which is the default",
            ) from error


def ask_identity(connection: psycopg.Connection[tuple[Any, ...]]) -> Identity:
    """Query the server's identity over an open connection."""
    row = connection.execute(IDENTITY_SQL).fetchone()
    assert row is not None  # the query has exactly one row by construction
    return Identity.from_row(row)


def unreachable(url: str, said: str) -> PairError:
    """The error for a connection that failed; `said` is the driver's message."""
    from kit.probes.redact import redact

    where = _place(url)
    words = " ".join(redact(said).split())
    if "password authentication failed" in said:
        return PairError(
            f"{where} refused the password of {urlsplit(url).username}", remedy="correct the URL's user and password"
        )
    if "no password supplied" in said:
        return PairError(
            f"{where} requires a password, and the URL has none",
            remedy="put it into the URL: PGPASSWORD and libpq's other variables are not read",
        )
    if "timeout" in said or "unreachable" in said:
        return PairError(
            f"{where} cannot be reached ({words})",
            remedy="check the network; for 127.0.0.1, the loopback interface (ip link show lo)",
        )
    if "refused" in said:
        return PairError(f"nothing listens on {where}", remedy="start the pair (kit up), or correct the URL")
    return PairError(f"cannot connect to {where}: {words}")


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5432}/{unquote(parts.path.lstrip('/'))}"


def new_password() -> str:
    """A random password of 192 bits that needs no quoting in a URL."""
    return secrets.token_hex(24)


def scram_verifier(password: str) -> str:
    """The SCRAM-SHA-256 verifier of `password`, so that no SQL statement contains the password itself."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ROUNDS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return "SCRAM-SHA-256${}:{}${}:{}".format(SCRAM_ROUNDS, *encoded)
