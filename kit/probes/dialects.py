"""Databases without a driver probe: their identity is queried through SQLAlchemy's dialect when the pool connects."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

from .drivers.asking import first_answer
from .identity import MYSQL_QUESTIONS, POSTGRES_QUESTIONS
from .own import os
from .own import own_builtins as __builtins__  # noqa: F401
from .redact import redact

_QUESTIONS = {
    "postgresql": POSTGRES_QUESTIONS,
    "cockroachdb": POSTGRES_QUESTIONS,
    "redshift": POSTGRES_QUESTIONS,
    "mysql": MYSQL_QUESTIONS,
    "mariadb": MYSQL_QUESTIONS,
    "mssql": (("select cast(serverproperty('ServerName') as varchar(200)), db_name(), suser_name(), @@spid",
               ("host", "database", "user", "backend_pid")),),
    "oracle": (("select sys_context('USERENV', 'SERVER_HOST'), sys_context('USERENV', 'DB_NAME'), user from dual",
                ("host", "database", "user")),),
    "sqlite": (("select file from pragma_database_list where name = 'main'", ("file",)),),
    "duckdb": (("select path from duckdb_databases() where not internal", ("file",)),),
}


def ask(dbapi_connection: Any, dialect: Any) -> Tuple[Optional[Dict[str, Any]], Optional[str], str]:
    """Return the server's identity or the reason why there is none, and its URL, made from dialect and identity.

    A replacement for the driver's connection is not queried: a test may count the calls on it.
    """
    configured = f"{dialect.name}+{dialect.driver}://"
    questions = _QUESTIONS.get(dialect.name)
    if questions is None:
        return None, f"the kit has no identity query for {dialect.name}", configured
    if not _is_the_drivers_own(dbapi_connection, dialect):
        return None, "the connection is a replacement, not the driver's own", configured

    def put(question: str) -> Sequence[Any]:
        cursor = dbapi_connection.cursor()
        try:
            cursor.execute(question)
            return [None if value is None else str(value) for value in cursor.fetchone()]
        finally:
            cursor.close()
            dbapi_connection.rollback()

    observed, why_not = first_answer(put, questions)
    if observed and "file" in observed:
        observed["file"] = os.path.realpath(observed["file"]) if observed["file"] else None
    return observed, why_not, configured + redact(_place(observed))


def _is_the_drivers_own(dbapi_connection: Any, dialect: Any) -> bool:
    dbapi = getattr(dialect, "loaded_dbapi", None) or getattr(dialect, "dbapi", None)
    names = {getattr(module, "__name__", "").partition(".")[0] for module in (dbapi, getattr(dbapi, "dbapi", None))}
    return type(dbapi_connection).__module__.partition(".")[0] in {*names, "sqlalchemy"} - {""}


def _place(observed: Optional[Dict[str, Any]]) -> str:
    known = observed or {}
    if "file" in known:
        return f"/{known['file'] or ''}"
    user, host, port, database = (known.get(name) or "" for name in ("user", "host", "port", "database"))
    return f"{user}@{host}:{port}/{database}"
