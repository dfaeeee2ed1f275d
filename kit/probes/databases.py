"""The connections of this process: which engine each belongs to, which server answered it, and who uses it.

Two facts are kept apart. *Configured*: the place that was asked for. *Observed*: what the live server said of itself.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Dict, List, Optional, Tuple

from .context import CURRENT, REQUEST
from .gate import Gate
from .recorder import Recorder

_WRITING = frozenset({"insert", "update", "delete", "trunca", "create", "drop t", "alter ", "copy ", "merge "})


class Connection:
    """One connection to a database, as long as it lives. `pooled` ones tell of their use through SQLAlchemy."""

    __slots__ = ("number", "pooled", "session", "used_by")

    def __init__(self, number: str, pooled: bool) -> None:
        self.number, self.pooled = number, pooled
        self.session: Optional[Tuple[int, str]] = None  # id of the session that holds it, its name
        self.used_by: Dict[Tuple[Any, ...], int] = {}


class Databases:
    """Numbers connections, engines and sessions, and writes each use down once per test, phase and request."""

    def __init__(self, recorder: Recorder, gate: Optional[Gate] = None) -> None:
        self._recorder, self._gate = recorder, gate
        self._lock = threading.Lock()
        self._last_number: Dict[str, int] = {}
        self._connections: Dict[int, Connection] = {}

    def number(self, kind: str) -> str:
        """Return the next name of its kind; unique over all processes, for a forked child goes on with its parent's."""
        with self._lock:
            self._last_number[kind] = self._last_number.get(kind, 0) + 1
            return f"{os.getpid()}:{self._last_number[kind]}"

    def asked_for_file(self, path: Optional[str]) -> None:
        """A SQLite file is about to be opened. Raises DatabaseRefused where it is not allowed."""
        if self._gate is not None:
            self._gate.file(path)

    def opened(
        self, driver_connection: Any, driver: str, configured: str, observed: Optional[Dict[str, Any]],
        why_not: Optional[str], pooled: bool,
    ) -> None:
        """A driver has connected. `observed` is the server's own answer; None with `why_not` where it gave none.

        Raises DatabaseRefused where the server is not allowed.
        """
        connection = Connection(self.number("connection"), pooled)
        self._connections[id(driver_connection)] = connection
        self._recorder.event(
            "connection", connection=connection.number, driver=driver, configured=configured, observed=observed,
            why_not=why_not, pooled=pooled,
        )
        if self._gate is not None and "file" not in (observed or {}):
            self._gate.server(configured, observed, why_not)

    def forget(self, driver_connection: Any) -> None:
        """An object has just been made: what was known under its id was another, which is gone."""
        self._connections.pop(id(driver_connection), None)

    def of(self, driver_connection: Any) -> Optional[Connection]:
        return self._connections.get(id(driver_connection))

    def used(
        self, connection: Connection, statement: str, engine: Optional[str] = None, also: Tuple[Any, ...] = (),
    ) -> None:
        """A statement is about to run. `also` are objects through which it came, for a dependency may have given one."""
        writes = statement.lstrip()[:6].lower() in _WRITING
        request = REQUEST.get()
        key = (
            CURRENT.test, CURRENT.phase, CURRENT.fixture if request is None else None,
            request and request.number, connection.session and connection.session[1], engine, writes,
        )
        count = connection.used_by.get(key)
        if count is not None:
            connection.used_by[key] = count + 1
            return
        connection.used_by[key] = 1
        self._recorder.event(
            "use", connection=connection.number, engine=engine, writes=writes,
            session=connection.session and connection.session[1], **self._supplier(request, connection, also),
        )

    def _supplier(self, request: Any, connection: Connection, also: Tuple[Any, ...]) -> Dict[str, Any]:
        if request is None:
            return {}
        candidates: List[int] = [id(value) for value in also]
        if connection.session:
            candidates.insert(0, connection.session[0])
        for candidate in candidates:
            if candidate in request.supplied:
                dependency, override = request.supplied[candidate]
                return {"dependency": dependency, "override": override}
        return {}
