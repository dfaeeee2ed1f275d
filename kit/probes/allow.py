"""The allow-list: its entries, and whether a database is on it. For the grammar of entries see `entries`.

An in-memory database belongs to its process and needs no entry. A server is matched by the host and port requested; if
it reports another database name than was requested (as behind a proxy that has aliases), only an entry for its identity
(`server:`, or the database name alone) allows it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import parse_qsl, unquote

from .entries import PORTS, MalformedEntry, Place, Server, escaped, rules, same_host
from .own import os
from .own import own_builtins as __builtins__  # noqa: F401
from .peers import Peer

__all__ = [
    "AllowList", "MalformedEntry", "Match", "Place", "entry_for_file", "entry_for_server", "place_of", "sqlite_file",
]

Observed = Optional[Mapping[str, Optional[str]]]

_KEPT_AT_MOST = 10_000  # cached results
_ANSWERED = ("system_identifier", "cluster_name", "database")  # fields of a server's identity that an entry can name


def place_of(url: str, peer: Optional[Peer] = None) -> Place:
    """Parse a URL into its place, with or without user and password; a missing port is the default port of the scheme.

    The host is the network destination: an address in the query (`hostaddr`) replaces it, and so does `peer`, the
    remote end of the socket, if the URL names an address rather than a host name.
    """
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    authority, slash, database = rest.rpartition("@")[2].rpartition("/")
    if not slash:  # a server without a database
        authority, database = database, ""
    folder, socket, port = authority.partition("/.s.PGSQL.")
    if socket:
        return Place(same_host(folder), port.partition(":")[0], database)
    host, _, port = authority.rpartition(":") if not authority.endswith("]") else (authority, "", "")
    if not port.isdigit() and not set(port) & set("*?["):
        host, port = authority.rstrip(":"), ""
    host = dict(parse_qsl(query)).get("hostaddr") or same_host(host.strip("[]"))
    if peer is not None and _is_address(host) and _is_address(peer.host):
        host = peer.host
    return Place(host, port or PORTS.get(scheme.partition("+")[0], ""), database)


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def sqlite_file(database: object, uri: bool = False) -> Optional[str]:
    """Return the absolute path that sqlite3 would open for `database`; None for an in-memory or temporary database."""
    name = os.fsdecode(database) if isinstance(database, (str, bytes, os.PathLike)) else ""
    if uri and name.startswith("file:"):
        name, _, query = name[len("file:"):].partition("#")[0].partition("?")
        if dict(parse_qsl(query)).get("mode") == "memory":
            return None
        for authority in ("//localhost/", "///"):
            name = name[len(authority) - 1:] if name.startswith(authority) else name
        name = unquote(name)
    if name in ("", ":memory:"):
        return None
    try:
        return os.path.realpath(name)
    except ValueError:  # an invalid file name on this system: opening it raises the error
        return name


class Match(NamedTuple):
    """The entries that allow a server's database, by what matched: its identity, its place, or only its address."""

    by_word: FrozenSet[str] = frozenset()
    by_place: FrozenSet[str] = frozenset()
    by_address: FrozenSet[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.by_word or self.by_place or self.by_address)

    @property
    def entries(self) -> FrozenSet[str]:
        return self.by_word | self.by_place | self.by_address


class AllowList:
    """The entries, without passwords, and whether a database is on the list.

    `base` is the folder that relative paths are resolved against. Raises MalformedEntry for an entry that is not valid.
    """

    def __init__(self, entries: Iterable[str], base: str) -> None:
        self.rules = rules(entries)
        self.entries = tuple(rule.text for rule in self.rules)
        self.base = os.path.realpath(base)
        self._files = tuple((rule.text, *_file_patterns(rule.files, self.base)) for rule in self.rules if rule.files)
        self._judged: Dict[str, FrozenSet[str]] = {}
        self._judged_servers: Dict[Tuple[object, ...], Match] = {}

    def allows_file(self, path: Optional[str]) -> bool:
        """Return whether a SQLite file may be opened, by its absolute path; None, for in memory, is always allowed."""
        return path is None or bool(self.for_file(path))

    def for_file(self, path: str) -> FrozenSet[str]:
        """Return the entries that allow a file, given by its absolute path."""
        found = self._judged.get(path)
        if found is None:
            if len(self._judged) >= _KEPT_AT_MOST:
                self._judged.clear()
            found = self._judged[path] = frozenset(
                text for text, exact, patterns in self._files
                if path in exact or any(fnmatchcase(path, pattern) for pattern in patterns)
            )
        return found

    def allows_server(self, configured: str, observed: Observed, peer: Optional[Peer] = None) -> bool:
        """Return whether a connection is allowed, by its URL and the identity that the server reported, if any.

        `peer` is the remote end of the socket: an entry whose host resolves to that address allows the connection
        whatever host name was requested.
        """
        return bool(self.for_server(configured, observed, peer))

    def for_server(self, configured: str, observed: Observed, peer: Optional[Peer] = None) -> Match:
        """Return the entries that allow a server's database.

        Results are cached: a suite opens many connections with few distinct arguments.
        """
        word = observed or {}
        way = (configured, peer, bool(word), *map(word.get, _ANSWERED))
        found = self._judged_servers.get(way)
        if found is None:
            if len(self._judged_servers) >= _KEPT_AT_MOST:
                self._judged_servers.clear()
            found = self._judged_servers[way] = self._match(configured, word, peer)
        return found

    def _match(self, configured: str, word: Mapping[str, Optional[str]], peer: Optional[Peer]) -> Match:
        place = place_of(configured, peer)
        by_word = frozenset(
            rule.text for rule in self.rules if word and any(_matches_server(word, one) for one in rule.servers)
        )
        named = word.get("database")
        if named is not None and named != place.database:
            return Match(by_word)
        there = [rule for rule in self.rules if any(_is_at(place, one) for one in rule.places)]
        by_place = frozenset(rule.text for rule in there)
        if by_place or by_word:
            return Match(by_word, by_place)
        return Match(by_address=frozenset(
            rule.text for rule in self.rules if any(_resolves_to(one, place, peer) for one in rule.places)
        ))

    def names_port_of(self, place: Place) -> FrozenSet[str]:
        """Return the entries for one host that name this port and database; the host itself is not compared."""
        return frozenset(
            rule.text for rule in self.rules for one in rule.places if _is_literal(one) and _is_at(place, one[1:], 1)
        )

    def is_of_one_place(self, entry: str) -> bool:
        """Return whether an entry names one host and port, without wildcards."""
        return any(_is_literal(place) for rule in self.rules if rule.text == entry for place in rule.places)

    def unrestricted_entries(self) -> Tuple[Tuple[str, str], ...]:
        """Return the entries that allow everything, each with a description of what it allows."""
        odd = "\x01"  # a name that no server, database or file has
        found = []
        for rule in self.rules:
            alone = AllowList([rule.text], self.base)
            servers = alone.allows_server(f"any://{odd}:1/{odd}", {
                "system_identifier": odd, "cluster_name": odd, "database": odd})
            files = next((said for path, said in (
                (f"/{odd}/{odd}", "every file"), (f"{self.base}/{odd}/{odd}", f"every file in {self.base}"),
            ) if alone.allows_file(path)), None)
            said = " and ".join(filter(None, ["every server" if servers else None, files]))
            if said:
                found.append((rule.text, said))
        return tuple(found)

    def idle(self, matched: Iterable[str]) -> Tuple[str, ...]:
        """Return the entries that are not in `matched`, without those for in-memory databases."""
        used = set(matched)
        return tuple(
            rule.text for rule in self.rules if rule.text not in used and (rule.files or rule.places or rule.servers)
        )


def _file_patterns(names: Iterable[str], base: str) -> Tuple[FrozenSet[str], FrozenSet[str]]:
    """Return the absolute paths of file names, and the glob patterns that they are matched as."""
    exact, patterns = set(), set()
    pending = [name for name in names if name not in ("", ":memory:")]
    while pending:
        name = os.path.expanduser(pending.pop())
        exact.add(os.path.realpath(os.path.join(base, name)))
        pattern = name if os.path.isabs(name) else os.path.join(_literal(base), name)
        patterns |= {os.path.normpath(pattern), os.path.realpath(pattern)}
        if name.startswith("*/"):  # in any folder, which includes the list's own
            pending.append(name[len("*/"):])
    return frozenset(exact), frozenset(patterns)


def _literal(path: str) -> str:
    """Escape a path so that it matches only itself as a glob pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _matches_server(word: Mapping[str, Optional[str]], server: Server) -> bool:
    return all(
        pattern is None or fnmatchcase(word.get(name) or "", pattern)
        for name, pattern in zip(_ANSWERED, (server.number, server.cluster, server.database))
    )


def _is_at(place: Iterable[str], pattern: Iterable[str], skipped: int = 0) -> bool:
    return all(map(fnmatchcase, list(place)[skipped:], pattern))


def _is_literal(place: Place) -> bool:
    return not set(place.host + place.port) & set("*?[")


def _resolves_to(pattern: Place, place: Place, peer: Optional[Peer]) -> bool:
    """Return whether the entry's host has another name than the requested host, but resolves to the address reached."""
    if not _is_literal(pattern) or not _is_at(place, pattern[1:], 1):
        return False
    reached = peer.host if peer is not None else place.host
    return not reached.startswith("/") and reached in addresses(pattern.host)


_addresses: Dict[str, FrozenSet[str]] = {}


def addresses(host: str) -> FrozenSet[str]:
    """Return the IP addresses of a host, looked up once per process; empty for a host that does not resolve."""
    if host not in _addresses:
        _addresses[host] = frozenset(_resolve_host(host))
    return _addresses[host]


def _resolve_host(host: str) -> List[str]:
    import _socket  # a program may have replaced socket.getaddrinfo

    own = ["127.0.0.1", "::1"] if host == "localhost" else []
    if host.startswith("/"):
        return own
    try:
        found = _socket.getaddrinfo(host, None, 0, _socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return own
    return own + [same_host(str(one[4][0])) for one in found]


def entry_for_file(path: str, base: str) -> str:
    """Return the entry that allows this file and no other."""
    inside = os.path.relpath(path, base)
    if inside.startswith(".."):
        return escaped(path)
    last = inside.rpartition("/")[2]
    could_be_else = "." not in last or ":" in inside.partition("/")[0] or inside[0] in "~[" or inside[0].isdigit()
    return escaped(f"./{inside}" if could_be_else else inside)


def entry_for_server(
    configured: str, observed: Observed, peer: Optional[Peer] = None, by_word: bool = False,
) -> str:
    """Return the entry for this server's database: by place, or by identity if `by_word` or if the two names differ."""
    place, word = place_of(configured, peer), observed or {}
    if word.get("database") is not None and (by_word or word["database"] != place.database):
        cluster = f"@{escaped(word['cluster_name'] or '')}" if by_word and word.get("cluster_name") else ""
        return f"server:{word.get('system_identifier') or '*'}{cluster}/{escaped(word['database'] or '')}"
    host = place.host if set(place.host) & set("/:") else escaped(place.host)
    return str(Place(host or "*", place.port or "*", escaped(place.database) or "*"))
