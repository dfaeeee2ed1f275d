"""Which server is this? The questions that are put to a live connection, and the names of what they answer."""

from __future__ import annotations

from typing import Any, Dict, Sequence, Tuple

from .own import own_builtins as __builtins__  # noqa: F401

# Readable by a plain role. Everything is cast to text: `system_identifier` exceeds 2^53, and text needs no type
# look-ups from a driver that has just connected. Every new connection is asked, so that nothing is asked for that takes
# a fresh backend long: its own row of `pg_database`, and a moment as text, took nearly half of the time.
# The comment lets a reader of the server's log tell it apart.
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

# For a server that speaks Postgres' protocol and is not one, or lets nobody see its control file.
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
    """Name the columns of the answer: every value is text, or None."""
    return dict(zip(IDENTITY_FIELDS, row))
