"""Which databases may be used: an allow-list, as a person writes it.

    test.db, data/*.db, /tmp/pytest-*         a SQLite file; relative to the folder of the list, `*` crosses folders
    127.0.0.1:5433/testdb, localhost:*/test_*  a server's host, port and database, as the application asks for them
    server:7429385720384756123/testdb          the server by its own word, wherever it is reached; `/testdb` may be left
                                               out, and `@name` after the number holds its cluster_name too
    postgresql+asyncpg://app@db:5432/test_app  a URL stands for the place or the file that it names

A database in memory is nobody else's, so it needs no entry. A server must be what it was asked for: where it says
that its database has another name, as it does behind a proxy's alias, only a `server:` entry lets it through.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple
from urllib.parse import parse_qsl, unquote

from .own import os
from .own import own_builtins as __builtins__  # noqa: F401
from .redact import redact

Observed = Optional[Mapping[str, Optional[str]]]

_PORTS = {
    "postgresql": "5432", "postgres": "5432", "mysql": "3306", "mariadb": "3306", "oracle": "1521", "mssql": "1433",
}
_IN_A_PORT = frozenset("0123456789*?[-]")
_DIGITS_OF_A_SERVER = 15  # at least: no file is named so


class Place(NamedTuple):
    """Where a server was asked for. A unix socket's host is the folder that it lies in."""

    host: str
    port: str
    database: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host or "/" in self.host else self.host
        return f"{host}:{self.port}/{self.database}"


def place_of(url: str) -> Place:
    """Read the place out of a URL, with or without user and password; the port is the scheme's where it names none."""
    scheme, _, rest = url.partition("://")
    authority, _, database = rest.partition("?")[0].rpartition("@")[2].rpartition("/")
    folder, socket, port = authority.partition("/.s.PGSQL.")
    if socket:
        return Place(folder, port.partition(":")[0], database)
    host, _, port = authority.rpartition(":") if not authority.endswith("]") else (authority, "", "")
    if not port.isdigit() and not set(port) & set("*?["):
        host, port = authority.rstrip(":"), ""
    return Place(host.strip("[]"), port or _PORTS.get(scheme.partition("+")[0], ""), database)


def sqlite_file(database: object, uri: bool = False) -> Optional[str]:
    """The absolute path that sqlite3 would open for `database`; None where it would be in memory or temporary."""
    name = os.fsdecode(database) if isinstance(database, (str, bytes, os.PathLike)) else ""
    if uri and name.startswith("file:"):
        name, _, query = name[len("file:"):].partition("#")[0].partition("?")
        if dict(parse_qsl(query)).get("mode") == "memory":
            return None
        for authority in ("//localhost/", "///"):
            name = name[len(authority) - 1:] if name.startswith(authority) else name
        name = unquote(name)
    return None if name in ("", ":memory:") else os.path.realpath(name)


class AllowList:
    """The entries, without passwords, and whether a database is among them.

    `base` is the folder that relative paths are read from.
    """

    def __init__(self, entries: Iterable[str], base: str) -> None:
        stripped = (entry.strip() for entry in entries)
        self.entries = tuple(redact(entry) if "://" in entry else entry for entry in stripped if entry)
        self.base = os.path.realpath(base)
        self._files: Set[str] = set()
        self._patterns: List[str] = []
        self._places: List[Place] = []
        self._servers: List[Tuple[str, Optional[str], Optional[str]]] = []
        for entry in self.entries:
            self._add(entry)

    def _add(self, entry: str) -> None:
        scheme, url, rest = entry.partition("://")
        if url and scheme.startswith("sqlite"):
            self._add_file(unquote(rest.partition("?")[0].partition("/")[2]))
        elif url:
            self._places.append(place_of(entry))
        elif entry.startswith("server:") or entry[:_DIGITS_OF_A_SERVER].isdigit():
            self._servers.append(_server(entry))
        elif _is_place(entry):
            self._places.append(place_of(f"any://{entry}"))
        else:
            self._add_file(entry)

    def _add_file(self, name: str) -> None:
        if name in ("", ":memory:"):
            return
        name = os.path.expanduser(name)
        self._files.add(os.path.realpath(os.path.join(self.base, name)))
        pattern = name if os.path.isabs(name) else os.path.join(_literal(self.base), name)
        self._patterns += {os.path.normpath(pattern), os.path.realpath(pattern)}
        if name.startswith("*/"):  # in whichever folder: the list's own is one of them
            self._add_file(name[len("*/"):])

    def allows_file(self, path: Optional[str]) -> bool:
        """Tell whether a SQLite file may be opened; `path` is absolute, None in memory."""
        return path is None or path in self._files or any(fnmatchcase(path, pattern) for pattern in self._patterns)

    def allows_server(self, configured: str, observed: Observed) -> bool:
        """Tell whether a connection may be used: `configured` is its URL, `observed` the server's own word if any."""
        if observed is not None and any(_answers(observed, *server) for server in self._servers):
            return True
        place = place_of(configured)
        named = (observed or {}).get("database")
        if named is not None and named != place.database:
            return False
        return any(all(map(fnmatchcase, place, pattern)) for pattern in self._places)


def _server(entry: str) -> Tuple[str, Optional[str], Optional[str]]:
    """Read an entry that names a server: its number, its cluster_name if any, its database if any."""
    server, slash, database = (entry[len("server:"):] if entry.startswith("server:") else entry).rpartition("/")
    number, _, cluster = (server if slash else database).partition("@")
    return number, cluster or None, database if slash else None


def _is_place(entry: str) -> bool:
    """Tell whether an entry is host:port/name; a path has no colon in its first part."""
    server, slash, database = entry.partition("]")[2].partition("/") if entry[0] == "[" else entry.partition("/")
    host, colon, port = server.rpartition(":")
    return bool(slash and database and colon and (host or entry[0] == "[") and _IN_A_PORT.issuperset(port))


def _literal(path: str) -> str:
    """A path as a pattern that matches nothing else."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _answers(
    observed: Mapping[str, Optional[str]], number: str, cluster: Optional[str], database: Optional[str],
) -> bool:
    wanted = {"system_identifier": number, "cluster_name": cluster, "database": database}
    return all(
        pattern is None or fnmatchcase(observed.get(name) or "", pattern) for name, pattern in wanted.items()
    )


def entry_for_file(path: str, base: str) -> str:
    """The entry that allows this file and no other."""
    inside = os.path.relpath(path, base)
    return path if inside.startswith("..") else inside


def entry_for_server(configured: str, observed: Observed) -> str:
    """The entry that allows this server's database: its place, or its own word where that differs from the place."""
    place = place_of(configured)
    if observed is not None and observed.get("system_identifier") and observed.get("database") != place.database:
        return f"server:{observed['system_identifier']}/{observed['database']}"
    return str(place)
