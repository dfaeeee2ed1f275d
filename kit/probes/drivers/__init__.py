"""The drivers: one adapter each, which notices a new connection and queries the server's identity.

A new driver needs a module here, a row of ADAPTERS, and its tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, FrozenSet, Optional, Tuple, Type

from ..own import own_builtins as __builtins__  # noqa: F401
from .aiomysql import Aiomysql
from .asyncpg import Asyncpg
from .base import Adapter, Kind
from .duckdb import DuckDB
from .pg8000 import Pg8000
from .psycopg import Psycopg
from .psycopg2 import Psycopg2
from .pymysql import PyMySQL
from .sqlite import Sqlite
from .unprobed import UnprobedDrivers

if TYPE_CHECKING:
    from ..hooks import Hooks
    from ..sources import Sources

__all__ = ["ADAPTERS", "CONNECTIONS", "DIALECTS", "INNER", "PACKAGES", "POOLS", "DriverProbe"]

ADAPTERS: Tuple[Type[Adapter], ...] = (
    Asyncpg, Psycopg, Psycopg2, Pg8000, PyMySQL, Aiomysql, Sqlite, DuckDB, UnprobedDrivers,
)

PACKAGES: Tuple[str, ...] = tuple(package for adapter in ADAPTERS for package in adapter.packages)
DIALECTS: FrozenSet[str] = frozenset(dialect for adapter in ADAPTERS for dialect in adapter.dialects)
CONNECTIONS: Tuple[Kind, ...] = tuple(kind for adapter in ADAPTERS for kind in adapter.connections)
INNER: Dict[str, str] = dict(pair for adapter in ADAPTERS for pair in adapter.inner)
POOLS: Tuple[Kind, ...] = tuple(kind for adapter in ADAPTERS for kind in adapter.pools)


class DriverProbe:
    """The adapters of one process. Without `statements` they watch connections only, without `sources` no pools."""

    def __init__(self, databases: Any, sources: Optional[Sources] = None, statements: bool = True) -> None:
        self._adapters = [adapter(databases, sources, statements) for adapter in ADAPTERS]

    def install(self, hooks: Hooks) -> None:
        for adapter in self._adapters:
            adapter.install(hooks)
