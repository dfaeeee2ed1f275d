"""Who reads and writes the variables that name a database, and when."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Optional, Set, Tuple

from .frames import Stack, application_stack
from .hooks import Hooks
from .recorder import Recorder
from .redact import HIDDEN, redact

_NAME = re.compile(r"(?i)(database|(^|_)db(_|$)|dsn|postgres|^pg(host|hostaddr|port|database|user|service)|sqlite|mysql|sqlalchemy)")
_SECRET = re.compile(r"(?i)(pass|pwd|secret|token|key)")
_URL = re.compile(r"(?i)^(postgres(ql)?|mysql|mariadb|sqlite|oracle|mssql|cockroachdb|redshift)(\+\w+)?:")
_OWN = re.compile(r"^(ISOLATION_PROBES_|KIT_)")
_EVENTS_PER_VARIABLE = 400  # a loop that reads a variable for ever must not fill a disk


def names_a_database(name: str, value: Optional[str] = None) -> bool:
    """Tell whether a variable is one that can lead to a database: by its name, or by a value that is such a URL."""
    if _OWN.match(name):
        return False
    return bool(_NAME.search(name)) or (value is not None and bool(_URL.match(value)))


def shown(name: str, value: Optional[str]) -> Optional[str]:
    """The value as it may be written down."""
    if value is None:
        return None
    return HIDDEN if _SECRET.search(name) and not _URL.match(value) else redact(value)


def _place(url: str) -> str:
    """The part of a URL that names user, server and database."""
    return url.partition("://")[2].partition("?")[0] or url


class EnvironmentProbe:
    """Watches `os.environ`. `reads` tells which variables were read, the latest last: an engine's URL came from one."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._watched: Set[str] = set()
        self._seen: Dict[Tuple[str, str, Optional[str], Stack], int] = {}
        self._counts: Dict[str, int] = {}
        self.reads: Dict[str, str] = {}

    def install(self, hooks: Hooks) -> None:
        for name, value in os.environ.items():
            if names_a_database(name, value):
                self._watched.add(name)
                self._recorder.plain("environment", op="inherited", name=name, value=shown(name, value))
        probe = self

        def reading(original: Any) -> Any:
            def __getitem__(environ: Any, name: Any) -> Any:
                value = original(environ, name)
                if name in probe._watched:
                    probe._read(name, value)
                return value
            return __getitem__

        def writing(original: Any) -> Any:
            def __setitem__(environ: Any, name: Any, value: Any) -> None:
                before = environ._data.get(environ.encodekey(name)) if isinstance(name, str) else None
                original(environ, name, value)
                if name in probe._watched or names_a_database(name, value):
                    probe._watched.add(name)
                    old = None if before is None else environ.decodevalue(before)
                    probe._event("set", name, value, same=old == value)
            return __setitem__

        def removing(original: Any) -> Any:
            def __delitem__(environ: Any, name: Any) -> None:
                original(environ, name)
                if name in probe._watched:
                    probe._event("removed", name, None)
            return __delitem__

        environ_type = type(os.environ)
        hooks.replace(environ_type, "__getitem__", reading)
        hooks.replace(environ_type, "__setitem__", writing)
        hooks.replace(environ_type, "__delitem__", removing)

    def sources_of(self, url: str, parts: Tuple[Optional[str], ...] = ()) -> List[str]:
        """Name the variables that lead to the database of `url`, the one read last foremost.

        A variable leads there when it holds a URL of the same place (whatever its scheme and query); where none does,
        when it holds one of `parts`, such as the database's name.
        """
        values = {**self._held(), **self.reads}
        found = [name for name, value in values.items() if _place(value) == _place(url)]
        found = found or [name for name, value in values.items() if value and value in parts]
        order = list(self.reads)
        return sorted(found, key=lambda name: -order.index(name) if name in order else 1)

    def _held(self) -> Dict[str, str]:
        data = os.environ._data  # type: ignore[attr-defined]  # looking must not count as reading
        encode, decode = os.environ.encodekey, os.environ.decodevalue
        return {name: decode(data[encode(name)]) for name in sorted(self._watched) if encode(name) in data}

    def _read(self, name: str, value: str) -> None:
        self.reads.pop(name, None)
        self.reads[name] = value
        self._event("read", name, value)

    def _event(self, op: str, name: str, value: Optional[str], **fields: Any) -> None:
        stack = application_stack()
        key = (op, name, value, stack)
        self._seen[key] = self._seen.get(key, 0) + 1
        count = self._counts.get(name, 0)
        if self._seen[key] > 1 and op == "read" or count >= _EVENTS_PER_VARIABLE or not stack:
            return
        self._counts[name] = count + 1
        self._recorder.event("environment", stack=stack, op=op, name=name, value=shown(name, value), **fields)
