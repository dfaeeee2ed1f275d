"""DuckDB: each connection's file and statements. The databases that statements attach or read cannot be judged."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ..allow import sqlite_file
from ..frames import running
from ..hooks import Hooks, out_of_traceback
from ..objects import address
from ..own import functools, os, re
from ..own import own_builtins as __builtins__  # noqa: F401
from .asking import Observed, reason
from .base import Adapter
from .methods import watch_lookup

_RUN = ("execute", "executemany", "sql", "query", "from_query")
_GOES_ELSEWHERE = re.compile(
    r"(?i)\battach\b|\b(postgres|sqlite|mysql)_(scan|scan_pushdown|query|attach|execute)\b|\bmd:|\bmotherduck\b"
)
_WHY = "its statements can attach any file or server"


class DuckDB(Adapter):
    """A driver of files, judged before they open. A connection not seen when it opened is queried for its file."""

    name = "duckdb"
    packages = ("duckdb", "_duckdb")
    dialects = frozenset({"duckdb_engine", "duckdb"})
    connections = (("duckdb", "DuckDBPyConnection"),)

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._known: Dict[int, Any] = {}  # connections that were seen or queried
        hooks.when_imported("duckdb", self._watch, again=True)

    def _watch(self, duckdb: Any) -> None:
        self._replace(duckdb, "connect", self._connecting)
        for name in _RUN:
            watch_lookup(self._hooks, duckdb.DuckDBPyConnection, name, self._hear)
            if callable(vars(duckdb).get(name)):
                self._replace(duckdb, name, self._running)

    def _connecting(self, original: Any) -> Any:
        probe = self

        def connect(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            database = args[0] if args else kwargs.get("database", ":memory:")
            path = _path_of(database)
            probe._databases.about_to_open_file(path, "duckdb")
            if _GOES_ELSEWHERE.search(str(database) if isinstance(database, str) else ""):
                probe._databases.by_driver("duckdb", "it connects to a service, such as MotherDuck")
            try:
                connection = original(*args, **kwargs)
            except BaseException as error:
                probe._databases.failed("duckdb", path or "", error)
                out_of_traceback(error)
                raise
            probe._opened(connection, ({"file": path}, None))
            return connection
        return connect

    def _opened(self, connection: Any, observed: Observed) -> None:
        self._known[address(connection)] = None
        if self._statements:
            self._databases.forget(connection)
            self._databases.opened(
                connection, "duckdb", (observed[0] or {}).get("file") or ":memory:", *observed,
                pooled=running("sqlalchemy") is not None,
            )

    def _hear(self, connection: Any, method: Any) -> Any:
        __tracebackhide__ = True
        if address(connection) not in self._known:
            observed = _ask(connection)
            path = (observed[0] or {}).get("file")
            if path is not None and not self._databases.allows_file(path):
                type(connection).close(connection)
                raise self._databases.refused_file(path, None, "duckdb")
            self._opened(connection, observed)
        return functools.partial(self._run, connection, method)

    def _running(self, original: Any) -> Any:
        """Wrap a function of the module, which uses one in-memory connection shared by the whole program."""
        return lambda *args, **kwargs: self._run(None, original, *args, **kwargs)

    def _run(self, connection: Any, method: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        text = next((given for given in (*args[:1], *kwargs.values()) if isinstance(given, str)), "")
        if _GOES_ELSEWHERE.search(text) is not None:
            self._databases.by_driver("duckdb", _WHY)
        known = self._databases.of(connection) if self._statements and connection is not None else None
        if known is not None and not known.pooled:
            self._databases.used(known, text, known.engine, (connection,))
        try:
            return method(*args, **kwargs)
        except BaseException as error:
            out_of_traceback(error)
            raise


def _path_of(database: Any) -> Optional[str]:
    name = os.fspath(database) if type(database).__module__.startswith("pathlib") else database
    if not isinstance(name, str) or name.startswith((":", "md:", "motherduck:")):
        return None
    return sqlite_file(name)


def _ask(connection: Any) -> Observed:
    question = "select path from duckdb_databases() where not internal"
    try:
        row = type(connection).execute(connection, question).fetchone()
        return {"file": os.path.realpath(row[0]) if row and row[0] else None}, None
    except Exception as error:
        return None, reason(error)
