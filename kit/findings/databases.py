"""Which databases are there? Each is what its server, or its file, said of itself; never what a URL promised."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from kit.evidence import Connection, Evidence, Frame

MEMORY = ":memory:"
# Code of these leads to a database on somebody else's behalf: a stack that shows only them still has an owner.
_GO_BETWEENS = frozenset({
    "aiosqlite", "anyio", "asyncpg", "databases", "encode", "fastapi", "greenlet", "psycopg", "psycopg2", "psycopg_pool",
    "sqlalchemy", "sqlmodel", "starlette", "tortoise", "trio", "aiomysql", "pymysql", "asyncmy", "MySQLdb",
})


@dataclass(frozen=True, slots=True)
class Database:
    """One database. `id` is its identity, `name` how a person calls it, `names` all that it answers to.

    `observed` is False where the server could not be asked: then only the configured place is known. `lives_on` is
    False for a database in memory, which ends with its connection. `tool` names the program whose own file it is.
    """

    id: str
    kind: str
    name: str
    names: tuple[str, ...]
    observed: bool = True
    lives_on: bool = True
    tool: str | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """The databases that tests may reach, by patterns; `None` means that nobody has said so."""

    patterns: tuple[str, ...] | None = None

    def judge(self, database: Database) -> bool | None:
        """Say whether a database may be reached; None where nobody has said.

        What lives in memory harms nobody and is always allowed, and so is the file that a tool keeps for itself.
        """
        if self.patterns is None:
            return None
        if not database.lives_on or database.tool is not None:
            return True
        return any(matches(pattern, name) for pattern in self.patterns for name in database.names)


def matches(pattern: str, name: str) -> bool:
    """Tell whether a pattern, with its wildcards or without, is one of a database's names."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, plain(pattern))


def plain(place: str) -> str:
    """A URL without scheme, credentials and query, as databases are named: host:port/name, or the path of a file."""
    scheme, found, rest = place.partition("://")
    if not found:
        return place
    rest = rest.partition("?")[0]
    if scheme.startswith("sqlite"):
        return os.path.normpath(rest[1:]) if rest.startswith("/") else rest
    return rest.rpartition("@")[2]


def databases(evidence: Evidence, folder: str = "") -> dict[str, Database]:
    """The database behind each connection: {connection: database}. `folder` is where the command ran."""
    found: dict[str, Database] = {}
    pool: dict[str, Database] = {}
    for connection in evidence.connections:
        database = _of(connection, evidence.chain(connection), folder)
        known = pool.get(database.id)
        if known is not None and known.tool is not None and database.tool is None:
            known = None  # the application itself opens it too
        names = tuple(dict.fromkeys((*(known.names if known else ()), *database.names)))
        pool[database.id] = Database(
            database.id, database.kind, database.name, names, database.observed, database.lives_on,
            database.tool if known is None else known.tool,
        )
        found[connection.connection] = database
    return {connection: pool[database.id] for connection, database in found.items()}


def _of(connection: Connection, chain: tuple[Frame, ...], folder: str) -> Database:
    observed = connection.observed
    if observed is None:
        return _unasked(connection)
    if "file" in observed:
        return _file(connection, observed["file"], _tool(chain), folder)
    if "system_identifier" in observed:
        return _postgres(connection, observed)
    return _told(connection, observed)


def _postgres(connection: Connection, observed: dict[str, str | None]) -> Database:
    server, cluster = observed.get("system_identifier") or "", observed.get("cluster_name") or ""
    name, host, port = observed.get("database") or "", observed.get("host") or "", observed.get("port") or ""
    configured = plain(connection.configured)
    places = [place for place in (configured, f"{host}:{port}/{name}" if host else "") if place]
    servers = [value for value in (server, cluster, *(place.partition("/")[0] for place in places)) if value]
    label = f"{cluster}/{name}" if cluster and not cluster.isdigit() else f"{places[0]}"
    names = (name, *servers, *places, *(f"{value}/{name}" for value in servers), f"postgresql:{server}/{name}")
    return Database(f"postgresql:{server}/{name}", "postgresql", label, tuple(dict.fromkeys(names)))


def _file(connection: Connection, path: str | None, tool: str | None, folder: str) -> Database:
    if not path:
        shared = re.search(r"file:([^?]+)\?.*mode=memory", connection.configured)
        name = f"{MEMORY} ({shared[1]})" if shared else MEMORY
        identity = f"sqlite:{MEMORY}{shared[1] if shared else connection.connection}"
        return Database(identity, "sqlite", name, (MEMORY, name), lives_on=False)
    names = [path, os.path.basename(path)]
    if folder and path.startswith(os.path.join(folder, "")):
        names.insert(1, os.path.relpath(path, folder))
        names.append("./" + os.path.relpath(path, folder))
    return Database(f"sqlite:{path}", "sqlite", names[1] if len(names) > 2 else path, tuple(names), tool=tool)


def _told(connection: Connection, observed: dict[str, str | None]) -> Database:
    """Another kind of server: `observed` holds what it answered to, in the words of its driver's probe."""
    kind = observed.get("kind") or connection.driver.partition("+")[0]
    place = plain(connection.configured)
    name = observed.get("database") or place
    server = observed.get("server") or place.partition("/")[0]
    return Database(f"{kind}:{server}/{name}", kind, f"{server}/{name}", (name, server, place, f"{server}/{name}"))


def _unasked(connection: Connection) -> Database:
    kind = connection.driver.partition("+")[0]
    place = plain(connection.configured)
    names = (place, place.rpartition("/")[2], place.partition("/")[0])
    return Database(f"{kind}:{place}", kind, place, names, observed=False)


def _tool(chain: Iterable[Frame]) -> str | None:
    """The library that keeps a file for itself: no code of the project led to it, and nothing that carries for others."""
    chain = tuple(chain)
    if not chain or any(frame.line and _library(frame.file) is None for frame in chain):
        return None
    libraries = [library for frame in chain if (library := _library(frame.file))]
    return None if not libraries or _GO_BETWEENS & set(libraries) else libraries[0]


def _library(file: str) -> str | None:
    """The library that a file belongs to, by its place; evidence names a library's file from its site-packages."""
    for marker in ("site-packages/", "dist-packages/"):
        if marker in file:
            return file.rpartition(marker)[2].partition("/")[0]
    return None
