"""The drivers: each connection as it opens, and the server's own word on who it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from .driver_asyncpg import AsyncpgProbe
from .driver_psycopg import PsycopgProbe
from .driver_psycopg2 import Psycopg2Probe
from .driver_sqlite3 import Sqlite3Probe
from .hooks import Hooks

if TYPE_CHECKING:
    from .sources import Sources


class DriverProbe:
    """Asks each new connection once, before the application gets it, and hands it on as it was.

    Without `statements` it sees connections only, and costs nothing once they are open. Without `sources` it does
    not follow who made a pool.
    """

    def __init__(self, databases: Any, sources: Optional[Sources] = None, statements: bool = True) -> None:
        self._probes = (
            AsyncpgProbe(databases, sources, statements),
            PsycopgProbe(databases, sources, statements),
            Psycopg2Probe(databases, sources, statements),
            Sqlite3Probe(databases, statements),
        )

    def install(self, hooks: Hooks) -> None:
        for probe in self._probes:
            probe.install(hooks)
