"""The databases of a run, each identified by what its server or file reported, never by a URL."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from kit.errors import TraceError
from kit.evidence.model import Connection, Evidence
from kit.probes.allow import AllowList, MalformedEntry, place_of
from kit.probes.peers import Peer

MEMORY = ":memory:"
_DRIVER = re.compile(r"^[\w.+-]+$")


@dataclass(frozen=True, slots=True)
class Database:
    """One database. `id` is its identity, `name` its display name, `path` the path of a file, None for a server.

    `observed` is False when the server could not be asked, so that only the configured address is known. `lives_on` is
    False for an in-memory database, which ends with its connection. `asked` holds the inputs of an allow-list check:
    (configured URL, what the server reported, network peer).
    """

    id: str
    kind: str
    name: str
    path: str | None = None
    observed: bool = True
    lives_on: bool = True
    names: tuple[str, ...] = ()
    asked: tuple[tuple[str, tuple[tuple[str, str | None], ...] | None, Peer | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Allowed:
    """The allow-list of a run, its entries relative to `folder`; `patterns` is None when there is no list."""

    patterns: tuple[str, ...] | None = None
    folder: str = ""

    @property
    def entries(self) -> AllowList:
        """The patterns as an AllowList. Raises MalformedEntry."""
        return _list(self.patterns or (), self.folder or os.getcwd())

    def judge(self, database: Database) -> bool | None:
        """Whether a database may be reached; None without an allow-list.

        An in-memory database belongs to this process alone: any allow-list allows it.
        """
        if self.patterns is None:
            return None
        if database.kind == "sqlite" and database.path is None:
            return True
        return bool(_named_by(self.entries, database))

    def names(self, asked: str) -> bool | None:
        """Whether a URL or the path of a file is on the list; None without an allow-list."""
        if self.patterns is None:
            return None
        return self.entries.allows_server(asked, None) if "://" in asked else self.entries.allows_file(asked)

    def differing(self, url: str, observed: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """The parts of a server's URL (host, port, database) that differ from the nearest entry: {part: wanted value}.

        The wanted value is "" when the entry has a pattern there. If no entry names a server by its address, it is the
        database if one names the server that reported itself as `observed`; empty otherwise.
        """
        asked = place_of(url)
        nearest: dict[str, str] = {}
        for place in (place for rule in self.entries.rules for place in rule.places):
            parts = zip(("host", "port", "database"), asked, place, strict=True)
            wrong = {
                name: "" if set(want) & set("*?[") else want for name, has, want in parts if not fnmatchcase(has, want)
            }
            if wrong and (not nearest or len(wrong) < len(nearest)):
                nearest = wrong
        return nearest or self._another_database(observed or {})

    def _another_database(self, observed: Mapping[str, str | None]) -> dict[str, str]:
        """{"database": wanted} of an entry that names the server by what it reports, and another database there."""
        for server in (server for rule in self.entries.rules for server in rule.servers):
            named = ((server.number, "system_identifier"), (server.cluster, "cluster_name"))
            same = [fnmatchcase(observed.get(word) or "", want) for want, word in named if want is not None]
            if same and all(same) and server.database is not None:
                return {"database": "" if set(server.database) & set("*?[") else server.database}
        return {}

    def idle(self, found: Iterable[Database]) -> tuple[str, ...]:
        """The entries that match none of these databases."""
        entries = self.entries
        return entries.idle(entry for database in found for entry in _named_by(entries, database))


def allowed(allow: Sequence[str], folder: Path) -> Allowed:
    """The allow-list from a command's --allow options. Raises TraceError for a malformed entry."""
    found = Allowed(tuple(allow) or None, str(folder.resolve()))
    try:
        _ = found.entries
    except MalformedEntry as error:
        raise TraceError(error.found, wanted=error.wanted, remedy=error.remedy) from None
    return found


@lru_cache(maxsize=64)
def _list(patterns: tuple[str, ...], folder: str) -> AllowList:
    return AllowList(patterns, folder)


def _named_by(entries: AllowList, database: Database) -> frozenset[str]:
    """The entries that allow a database, by any of the addresses under which it was requested."""
    if database.kind == "sqlite":
        return entries.for_file(database.path) if database.path else frozenset()
    return frozenset().union(
        *(
            entries.for_server(configured, dict(observed) if observed is not None else None, peer).entries
            for configured, observed, peer in database.asked
        )
    )


def databases(evidence: Evidence, folder: str = "") -> dict[str, Database]:
    """The database of each connection: {connection: database}. `folder` is where the command ran."""
    found: dict[str, str] = {}
    pool: dict[str, Database] = {}
    for connection in evidence.connections:
        if not _DRIVER.match(connection.driver):  # a stand-in for an engine, which connects to nothing
            continue
        database = _of(connection, folder)
        known = pool.get(database.id, database)
        pool[database.id] = replace(known, asked=tuple(dict.fromkeys((*known.asked, *database.asked))))
        found[connection.connection] = database.id
    return {connection: pool[identity] for connection, identity in found.items()}


def _of(connection: Connection, folder: str) -> Database:
    observed = connection.observed
    if observed is None:
        return _unidentified_database(connection, folder)
    if "file" in observed:
        return _file(connection, observed["file"], folder)
    if "system_identifier" in observed:
        return _postgres(connection, observed)
    return _reported_database(connection, observed)


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
        asked=_request(connection),
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


def _reported_database(connection: Connection, observed: dict[str, str | None]) -> Database:
    """A database of another kind of server: `observed` is what the probe of its driver reported."""
    kind = observed.get("kind") or connection.driver.partition("+")[0]
    place = place_of(connection.configured)
    name = observed.get("database") or place.database
    server = observed.get("server") or f"{place.host}:{place.port}"
    return Database(
        f"{kind}:{server}/{name}",
        kind,
        f"{place.host}:{place.port}/{name}",
        names=(name, server),
        asked=_request(connection),
    )


def _unidentified_database(connection: Connection, folder: str) -> Database:
    kind, configured = connection.driver.partition("+")[0], connection.configured
    if kind.startswith("sqlite") and configured and "://" not in configured and not configured.startswith("file:"):
        path = os.path.realpath(os.path.join(folder, configured))
        return replace(_file(connection, path, folder), observed=False)
    place = str(place_of(connection.configured))
    return Database(
        f"{kind}:{place}",
        kind,
        place,
        observed=False,
        names=(place.rpartition("/")[2],),
        asked=_request(connection),
    )


def _request(connection: Connection) -> tuple[tuple[str, tuple[tuple[str, str | None], ...] | None, Peer | None], ...]:
    """How a connection was requested and what answered, without the details that differ between connections."""
    observed = connection.observed
    answer = (
        None
        if observed is None
        else tuple(sorted((name, observed.get(name)) for name in ("system_identifier", "cluster_name", "database")))
    )
    return ((connection.configured, answer, Peer(*connection.peer) if connection.peer is not None else None),)
