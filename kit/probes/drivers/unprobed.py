"""Drivers without an adapter: their connections cannot be judged, so only the driver's name is reported.

With an allow-list, such a connection is refused unless the driver is allowed by name. A connection that SQLAlchemy
makes through one is judged by its URL. A client of a server that is no database (Redis, as a cache) is only reported.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Tuple

from ..frames import running
from ..hooks import CO_COROUTINE, Hooks, out_of_traceback
from ..own import functools
from ..own import own_builtins as __builtins__  # noqa: F401
from .base import Adapter
from .methods import watch_lookup

WHY = "the kit has no probe for this driver"
WHY_STORE = "the kit judges databases only"


class Unprobed(NamedTuple):
    """A driver's function that connects: the module, and the function, or the class and its method."""

    name: str  # its name in a list of drivers
    module: str
    function: str
    is_of_c: bool = False  # a method of a C class, noticed on lookup
    is_store: bool = False  # its servers are no databases


# A class of C can be called itself, past the function that makes its objects: then what they do is heard of.
_SQLITES = ("pysqlite3", "sqlcipher3", "sqlean")
_SQLITE_METHODS = ("backup", "cursor", "execute", "executemany", "executescript")
_PSQLPY_METHODS = (
    "binary_copy_to_table", "cursor", "execute", "execute_batch", "execute_many", "fetch", "fetch_row", "fetch_val",
    "prepare", "transaction",
)

UNPROBED: Tuple[Unprobed, ...] = (
    Unprobed("mysqlclient", "MySQLdb.connections", "Connection.__init__"),
    Unprobed("mysql-connector", "mysql.connector.abstracts", "MySQLConnectionAbstract.connect"),
    Unprobed("asyncmy", "asyncmy.connection", "Connection.connect", True),
    Unprobed("mariadb", "mariadb", "connect"),
    Unprobed("pyodbc", "pyodbc", "connect"),
    Unprobed("aioodbc", "aioodbc.connection", "Connection._connect"),
    Unprobed("oracledb", "oracledb.connection", "connect"),
    Unprobed("oracledb", "oracledb.connection", "connect_async"),
    Unprobed("oracledb", "oracledb.connection", "Connection.__init__"),
    Unprobed("cx_Oracle", "cx_Oracle", "connect"),
    Unprobed("pymssql", "pymssql._pymssql", "connect"),
    Unprobed("pymssql", "pymssql", "connect"),
    Unprobed("pytds", "pytds", "connect"),
    *(Unprobed("adbc", f"adbc_driver_{of}", "connect") for of in ("postgresql", "sqlite", "flightsql", "snowflake")),
    *(
        Unprobed("adbc", "adbc_driver_manager._lib", f"AdbcStatement.{method}", True)
        for method in ("set_sql_query", "execute_query", "execute_update")
    ),
    Unprobed("adbc", "adbc_driver_manager.dbapi", "connect"),
    Unprobed("adbc", "adbc_driver_manager.dbapi", "Connection.__init__"),
    Unprobed("apsw", "apsw", "Connection.execute", True),
    Unprobed("apsw", "apsw", "Connection.cursor", True),
    *(Unprobed(of, f"{of}.dbapi2", "connect") for of in _SQLITES),
    *(Unprobed(of, f"{of}.dbapi2", f"Connection.{method}", True) for of in _SQLITES for method in _SQLITE_METHODS),
    Unprobed("libsql", "libsql", "connect"),
    Unprobed("psycopg2cffi", "psycopg2cffi._impl.connection", "_connect"),
    Unprobed("psycopg2cffi", "psycopg2cffi", "connect"),
    Unprobed("pgdb", "pg._pg", "connect"),  # by which pg and pgdb connect, the two modules of PyGreSQL
    Unprobed("pgdb", "pgdb", "connect"),
    Unprobed("py-postgresql", "postgresql.driver.pq3", "Connection.connect"),
    Unprobed("py-postgresql", "postgresql", "open"),
    Unprobed("psqlpy", "psqlpy._internal", "connect"),
    *(Unprobed("psqlpy", "psqlpy._internal", f"ConnectionPool.{way}", True) for way in ("acquire", "connection")),
    *(Unprobed("psqlpy", "psqlpy._internal", f"Connection.{method}", True) for method in _PSQLPY_METHODS),
    Unprobed("psqlpy", "psqlpy._internal", "Listener.startup", True),
    *(
        Unprobed("connectorx", "connectorx.connectorx", way)
        for way in ("get_meta", "partition_sql", "read_sql", "read_sql2")
    ),
    Unprobed("firebird-driver", "firebird.driver", "connect"),
    Unprobed("fdb", "fdb", "connect"),
    Unprobed("snowflake", "snowflake.connector", "connect"),
    Unprobed("clickhouse-driver", "clickhouse_driver.connection", "Connection.connect"),
    Unprobed("clickhouse-connect", "clickhouse_connect.driver", "create_client"),
    Unprobed("trino", "trino.dbapi", "Connection.__init__"),
    Unprobed("ibm_db", "ibm_db", "connect"),
    Unprobed("pymongo", "pymongo.synchronous.pool", "Pool.connect"),
    Unprobed("pymongo", "pymongo.asynchronous.pool", "Pool.connect"),
    # The method that opens a socket: a fake in tests (fakeredis) never calls it.
    *(
        Unprobed("redis", module, f"{kind}._connect", is_store=True)
        for module in ("redis.connection", "redis.asyncio.connection")
        for kind in ("Connection", "UnixDomainSocketConnection")
    ),
)


class UnprobedDrivers(Adapter):
    """All drivers without an adapter."""

    name = "unprobed"
    packages = tuple(dict.fromkeys(driver.module.partition(".")[0] for driver in UNPROBED))

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        for driver in UNPROBED:
            hooks.when_imported(driver.module, functools.partial(self._watch, driver), again=True)

    def _watch(self, driver: Unprobed, module: Any) -> None:
        owner, dot, function = driver.function.rpartition(".")
        held = getattr(module, owner, None) if dot else module
        if held is None or getattr(held, function, None) is None:
            return  # another version of the driver, which another row covers
        if driver.is_of_c:
            watch_lookup(self._hooks, held, function, lambda thing, method: self._connects(driver))
        else:
            self._replace(held, function, functools.partial(self._connecting, driver))

    def _connecting(self, driver: Unprobed, original: Any) -> Any:
        def connect(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            self._connects(driver)
            try:
                return original(*args, **kwargs)
            except BaseException as error:
                out_of_traceback(error)
                raise

        async def connect_async(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            self._connects(driver)
            try:
                return await original(*args, **kwargs)
            except BaseException as error:
                out_of_traceback(error)
                raise

        return connect_async if getattr(getattr(original, "__code__", None), "co_flags", 0) & CO_COROUTINE else connect

    def _connects(self, driver: Unprobed) -> None:
        __tracebackhide__ = True
        if driver.is_store:
            self._databases.by_store(driver.name, WHY_STORE)
        elif not (_is_judged() or (driver.is_of_c and running("sqlalchemy"))):  # which judged as it connected
            self._databases.by_driver(driver.name, WHY)


def _is_judged() -> bool:
    """Return whether SQLAlchemy's own connect function of an engine is running, which the guard has judged already."""
    frame = running("sqlalchemy", "connect")
    while frame is not None and not (
        frame.f_code.co_name == "connect" and frame.f_code.co_filename.endswith("create.py")
    ):
        frame = frame.f_back
    return frame is not None
