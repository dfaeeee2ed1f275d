"""Which databases are there? Each is what its server, or its file, said of itself; never what a URL promised."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from kit.evidence import Connection, Evidence
from kit.probes.allow import AllowList, place_of

MEMORY = ":memory:"
_DRIVER = re.compile(r"^[\w.+-]+$")
_BARE = re.compile(r"^[^/:.\\]+$")  # a pattern that can be no file and no place


@dataclass(frozen=True, slots=True)
class Database:
    """One database. `id` is its identity, `name` how a person calls it, `path` a file's, None for a server's.

    `observed` is False where the server could not be asked: then only the configured place is known. `lives_on` is
    False for a database in memory, which ends with its connection. `asked` holds how it was asked for, and what
    answered, as an allow-list is asked.
    """

    id: str
    kind: str
    name: str
    path: str | None = None
    observed: bool = True
    lives_on: bool = True
    names: tuple[str, ...] = ()
    asked: tuple[tuple[str, tuple[tuple[str, str | None], ...] | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Allowed:
    """The databases that tests may reach, as patterns read from `folder`; None means that nobody has said so."""

    patterns: tuple[str, ...] | None = None
    folder: str = ""

    @property
    def entries(self) -> AllowList:
        """The patterns as the list that stops connections."""
        return AllowList(self.patterns or (), self.folder or os.getcwd())

    @property
    def stopping(self) -> tuple[str, ...]:
        """The patterns, and what they allow by a server's name, as entries of the list that stops connections."""
        patterns = self.patterns or ()
        return (*patterns, *(entry for pattern in patterns for entry in _as_servers(pattern)))

    def judge(self, database: Database) -> bool | None:
        """Say whether a database may be reached; None where nobody has said, and for what lives in memory then.

        What lives in memory is nobody else's: it is always allowed.
        """
        if self.patterns is None:
            return None
        if database.kind == "sqlite":
            return self.entries.allows_file(database.path)
        entries = self.entries
        return self._by_name(database) or any(
            entries.allows_server(configured, dict(observed) if observed is not None else None)
            for configured, observed in database.asked
        )

    def _by_name(self, database: Database) -> bool:
        """Whether a pattern is the name under which the database is shown, or one of its bare names."""
        patterns = self.patterns or ()
        bare = [pattern for pattern in patterns if _BARE.match(pattern)]
        return any(fnmatchcase(database.name, pattern) for pattern in patterns) or any(
            fnmatchcase(name, pattern) for pattern in bare for name in database.names
        )


def _as_servers(pattern: str) -> tuple[str, ...]:
    """The servers whose database is called so, or shown under this name: `testdb`, `cluster/testdb`."""
    if _BARE.match(pattern):
        return f"*:*/{pattern}", f"server:*@{pattern}/*"
    cluster, _, name = pattern.rpartition("/")
    return (f"server:*@{cluster}/{name}",) if cluster and name and ":" not in pattern else ()


def databases(evidence: Evidence, folder: str = "") -> dict[str, Database]:
    """The database behind each connection: {connection: database}. `folder` is where the command ran."""
    found: dict[str, str] = {}
    pool: dict[str, Database] = {}
    for connection in evidence.connections:
        if not _DRIVER.match(connection.driver):  # a stand-in for an engine, which is connected to nothing
            continue
        database = _of(connection, folder)
        known = pool.get(database.id, database)
        pool[database.id] = replace(known, asked=tuple(dict.fromkeys((*known.asked, *database.asked))))
        found[connection.connection] = database.id
    return {connection: pool[identity] for connection, identity in found.items()}


def _of(connection: Connection, folder: str) -> Database:
    observed = connection.observed
    if observed is None:
        return _unasked(connection)
    if "file" in observed:
        return _file(connection, observed["file"], folder)
    if "system_identifier" in observed:
        return _postgres(connection, observed)
    return _told(connection, observed)


def _postgres(connection: Connection, observed: dict[str, str | None]) -> Database:
    server, cluster = observed.get("system_identifier") or "", observed.get("cluster_name") or ""
    name, place = observed.get("database") or "", place_of(connection.configured)
    told_apart = cluster and not re.fullmatch(r"\d+/main|main|postgres", cluster)
    label = f"{cluster}/{name}" if told_apart else f"{place.host}:{place.port}/{name}"
    return Database(
        f"postgresql:{server}/{name}",
        "postgresql",
        label,
        names=tuple(filter(None, (name, cluster, server))),
        asked=_asked(connection),
    )


def _file(connection: Connection, path: str | None, folder: str) -> Database:
    if not path:
        shared = re.search(r"file:([^?]+)\?.*mode=memory", connection.configured)
        name = f"{MEMORY} ({shared[1] if shared else connection.connection})"
        return Database(
            f"sqlite:{MEMORY}{shared[1] if shared else connection.connection}", "sqlite", name, lives_on=False
        )
    inside = folder and path.startswith(os.path.join(os.path.realpath(folder), ""))
    name = os.path.relpath(path, os.path.realpath(folder)) if inside else path
    return Database(f"sqlite:{path}", "sqlite", name, path, names=(os.path.basename(path),))


def _told(connection: Connection, observed: dict[str, str | None]) -> Database:
    """Another kind of server: `observed` holds what it answered to, in the words of its driver's probe."""
    kind = observed.get("kind") or connection.driver.partition("+")[0]
    place = place_of(connection.configured)
    name = observed.get("database") or place.database
    server = observed.get("server") or f"{place.host}:{place.port}"
    return Database(
        f"{kind}:{server}/{name}",
        kind,
        f"{place.host}:{place.port}/{name}",
        names=(name, server),
        asked=_asked(connection),
    )


def _unasked(connection: Connection) -> Database:
    kind = connection.driver.partition("+")[0]
    place = str(place_of(connection.configured))
    return Database(
        f"{kind}:{place}",
        kind,
        place,
        observed=False,
        names=(place.rpartition("/")[2],),
        asked=_asked(connection),
    )


def _asked(connection: Connection) -> tuple[tuple[str, tuple[tuple[str, str | None], ...] | None], ...]:
    """How it was asked for and what answered, less what differs from one connection to the next."""
    observed = connection.observed
    answer = (
        None
        if observed is None
        else tuple(sorted((name, observed.get(name)) for name in ("system_identifier", "cluster_name", "database")))
    )
    return ((connection.configured, answer),)
