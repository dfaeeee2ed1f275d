"""The user, host, port and database in a URL: different URLs can name the same database."""

from __future__ import annotations

from typing import Optional, Tuple

from .own import own_builtins as __builtins__  # noqa: F401
from .own import re

Place = Tuple[str, str, str, str]  # user, host, port, database; for a file all but the last are empty

URL = re.compile(
    r"(?i)^(postgres(ql)?|mysql|mariadb|sqlite|oracle|mssql|cockroachdb|redshift|duckdb|asyncpg|psycopg)(\+\w+)?:"
)
URL_WITHIN = re.compile(
    r"(?i)\b(?:postgres(?:ql)?|mysql|mariadb|sqlite|oracle|mssql|cockroachdb|redshift|duckdb)(?:\+\w+)?://[^\s'\"<>]*"
)
FILE = re.compile(r"(?i)[^/\\\s]\.(db3?|sqlite3?|duckdb)$")  # the end of a path

_PARTS = re.compile(
    r"^[\w+.-]+://(?:(?P<user>[^:@/]*)(?::.*)?@)?(?P<host>\[[^\]]*\]|[^:/?@]*)(?::(?P<port>\d*))?(?:/(?P<database>[^?]*))?"
)
_FILE = re.compile(r"(?i)^(sqlite|duckdb)(\+\w+)?:")


def place(url: str) -> Optional[Place]:
    """Return the place that a URL names, without its scheme, password and query; None if it is no URL."""
    found = _PARTS.match(url)
    if found is None:
        return None
    if _FILE.match(url):
        return "", "", "", url.partition("://")[2].partition("?")[0]
    return tuple(found[name] or "" for name in ("user", "host", "port", "database"))  # type: ignore[return-value]
