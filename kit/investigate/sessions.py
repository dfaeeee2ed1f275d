"""What a notebook left open in the databases once its kernel is gone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.pair import Pair, Side

GRACE_S = 2.0
"""How long a session may take to notice that its client is gone: four times the servers' own interval of checking."""
LOOKS_S = 0.1

_OTHERS_SQL = """\
select pid, usename, application_name, state, left(query, 120),
       (select count(*) from pg_locks where pg_locks.pid = session.pid and granted)
from pg_stat_activity as session
where backend_type = 'client backend' and datname = %s and application_name not like 'kit-%%'
order by pid"""


def left_open(pair: Pair, grace_s: float = GRACE_S) -> tuple[str, ...]:
    """Describe the sessions that are still open on either side after `grace_s`; end them on a pair of the kit's own."""
    return tuple(line for side in pair.sides for line in _left_open(side, grace_s, ends=pair.writable))


def _left_open(side: Side, grace_s: float, *, ends: bool) -> list[str]:
    import psycopg

    deadline = time.monotonic() + grace_s
    with psycopg.connect(side.admin or side.url(), autocommit=True, application_name="kit-investigate") as connection:
        while rows := connection.execute(_OTHERS_SQL, (side.database,)).fetchall():
            if time.monotonic() > deadline:
                break
            time.sleep(LOOKS_S)
        for pid, *_ in rows if ends else ():
            connection.execute("select pg_terminate_backend(%s)", (pid,))
    return [f"{side.name}: {_described(*row)}" for row in rows]


def _described(pid: int, user: str, application: str, state: str, query: str, locks: int) -> str:
    return f"session {pid} of {user} ({application or 'no name'}), {state}, {locks} locks: {' '.join(query.split())}"
