"""The kit's own connections, and the question who answers. The one place that imports the driver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from kit.errors import PairError
from kit.pair.model import IDENTITY_SQL, Identity
from kit.pair.places import APP

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT_S = 10
# Passwords here are random, so more rounds add no safety, only time to each of thousands of connections; 4096 is the
# least that RFC 7677 allows, and some drivers insist on it.
SCRAM_ROUNDS = 4096


def connect(url: str, *, application: str = "kit-pair", options: str = "") -> psycopg.Connection[tuple[Any, ...]]:
    """Open a connection in autocommit mode, marked as the kit's own. Raises PairError naming host and port."""
    load_driver()
    import psycopg

    try:
        return psycopg.connect(
            url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name=application, options=options
        )
    except psycopg.Error as error:
        raise unreachable(url, str(error)) from None


def load_driver() -> None:
    """Import the driver, which takes longer than all else that is imported here; without it, say how to get it."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise PairError(
            f"the driver psycopg cannot be imported: {error}", remedy=f"pip install '{APP}[notebooks]'"
        ) from error


def identify(url: str) -> Identity:
    """Ask the server behind `url` who it is. Raises PairError when it may not tell."""
    with connect(url) as connection:
        import psycopg

        try:
            return ask_identity(connection)
        except psycopg.Error as error:
            raise PairError(
                f"{_place(url)} does not tell who it is: {' '.join(str(error).split())}",
                wanted="PostgreSQL 14 or newer, with pg_control_system() for every role, as it is by default",
            ) from error


def ask_identity(connection: psycopg.Connection[tuple[Any, ...]]) -> Identity:
    """Ask over an open connection who answers it."""
    row = connection.execute(IDENTITY_SQL).fetchone()
    assert row is not None  # the query has one row by construction
    return Identity.from_row(row)


def unreachable(url: str, said: str) -> PairError:
    """The error for a server that did not let us in."""
    from kit.probes.redact import redact

    where = _place(url)
    words = " ".join(redact(said).split())
    if "password authentication failed" in said:
        return PairError(
            f"{where} refused the password of {urlsplit(url).username}", remedy="correct the URL's user and password"
        )
    if "timeout" in said or "unreachable" in said:
        return PairError(
            f"{where} cannot be reached ({words})",
            remedy="see whether the network is up, for 127.0.0.1 the loopback interface (ip link show lo)",
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
    """What a server keeps of `password` for SCRAM-SHA-256, so that the password itself is in no statement."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ROUNDS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return "SCRAM-SHA-256${}:{}${}:{}".format(SCRAM_ROUNDS, *encoded)
