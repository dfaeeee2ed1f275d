"""Database sessions that a notebook left open after its kernel has exited.

A session whose client is alive belongs to somebody else, because no process of the notebook is. So a pair can be
checked while others use it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

    from kit.pair import Pair, Side

GRACE_S = 2.0
"""How long a session may take to notice that its client is gone: four times the servers' own interval of checking."""
LOOKS_S = 0.1

# The names of trials' own databases begin with the name of the side's database.
_SESSIONS_SQL = """\
select pid, client_port, usename, application_name, state, left(query, 120),
       (select count(*) from pg_locks where pg_locks.pid = session.pid and granted)
from pg_stat_activity as session
where backend_type = 'client backend' and starts_with(datname, %s) and application_name not like 'kit-%%'
order by pid"""


def left_open(pair: Pair, grace_s: float = GRACE_S) -> list[str]:
    """Describe sessions without a client that remain after `grace_s`; end them if the kit may write to the pair.

    Raises PairError when a server cannot be reached.
    """
    return [line for side in pair.sides for line in _left_open(side, grace_s, ends=pair.writable)]


def _left_open(side: Side, grace_s: float, *, ends: bool) -> list[str]:
    from kit.pair.connect import connect

    deadline = time.monotonic() + grace_s
    with connect(side.admin or side.url(), application="kit-investigate") as connection:
        while (found := _without_client(side, connection)) and time.monotonic() < deadline:
            time.sleep(LOOKS_S)
        for pid, *_ in found if ends else ():
            connection.execute("select pg_terminate_backend(%s)", (pid,))
    return [f"{side.name}: {_described(*row)}" for row in found]


def _without_client(side: Side, connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    rows = connection.execute(_SESSIONS_SQL, (side.database,)).fetchall()
    held = _held_ports(side.port) if rows else None
    return [row for row in rows if held is not None and row[1] not in held]


def _held_ports(server: int) -> set[int] | None:
    """Return the local ports with a connection to a server's port; None when the system does not permit the query."""
    import psutil

    try:
        found = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS permits this to root only
        return None
    held = (one for one in found if one.status == psutil.CONN_ESTABLISHED)
    return {one.laddr.port for one in held if one.laddr and one.raddr and one.raddr.port == server}


def _described(pid: int, port: int, user: str, application: str, state: str, query: str, locks: int) -> str:
    return f"session {pid} of {user} ({application or 'no name'}), {state}, {locks} locks: {' '.join(query.split())}"
