"""The queries for the identity of a server, and the names of their columns."""

from __future__ import annotations

from typing import Any, Dict, Sequence, Tuple

from .own import own_builtins as __builtins__  # noqa: F401

# Allowed for a plain role. Everything is cast to text: `system_identifier` exceeds 2^53, and a driver that has just
# connected needs no type look-ups for text. It runs on every new connection, so columns that are slow in a new backend
# are left out: the row of `pg_database`, and a timestamp as text, took nearly half of the time.
# The comment identifies the query in the server's log.
IDENTITY_SQL = """\
select (pg_control_system()).system_identifier::text as system_identifier,
       current_setting('cluster_name')::text as cluster_name,
       (pg_control_checkpoint()).timeline_id::text as timeline,
       pg_is_in_recovery()::text as standby,
       host(inet_server_addr())::text as host,
       coalesce(inet_server_port()::text, current_setting('port'))::text as port,
       current_database()::text as database,
       session_user::text as "user",
       current_setting('server_version')::text as version,
       pg_backend_pid()::text as backend_pid
/* which server is this? */"""

IDENTITY_MARK = "/* which server is this? */"

IDENTITY_FIELDS = (
    "system_identifier", "cluster_name", "timeline", "standby", "host", "port", "database", "user", "version",
    "backend_pid",
)

# For other servers with Postgres' protocol, and those that deny access to the control file.
PLACE_SQL = f"""\
select current_database()::text, current_user::text, version()::text, pg_backend_pid()::text
{IDENTITY_MARK}"""

PLACE_FIELDS = ("database", "user", "version", "backend_pid")

POSTGRES_QUESTIONS: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    (IDENTITY_SQL, IDENTITY_FIELDS), (PLACE_SQL, PLACE_FIELDS),
)

MYSQL_QUESTIONS: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("select @@server_uuid, @@hostname, @@port, database(), current_user(), version(), connection_id()",
     ("system_identifier", "host", "port", "database", "user", "version", "backend_pid")),
    ("select @@hostname, @@port, database(), current_user(), version(), connection_id()",
     ("host", "port", "database", "user", "version", "backend_pid")),
)


def answer(row: Sequence[Any]) -> Dict[str, Any]:
    """Return a row as {column: value}; each value is text or None."""
    return dict(zip(IDENTITY_FIELDS, row))
