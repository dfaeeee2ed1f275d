"""Which databases may be used: an allow-list, and whether a database is among what it names. See `entries`.

An in-memory database belongs to its process, so it needs no entry. A server must be the requested one: where it says
that its database has another name, as it does behind a proxy's alias, only its identity (`server:`, or the database's
name alone) lets it through.
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

_KEPT_AT_MOST = 10_000  # judgements
_ANSWERED = ("system_identifier", "cluster_name", "database")  # of a server's identity, what an entry can name


def place_of(url: str, peer: Optional[Peer] = None) -> Place:
    """Read the place out of a URL, with or without user and password; the port is the scheme's where it names none.

    The host is where the packets go: an address in the query (`hostaddr`) overrules it, as does the `peer` of a
    connection that was asked for by an address.
    """
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    authority, _, database = rest.rpartition("@")[2].rpartition("/")
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
    """The absolute path that sqlite3 would open for `database`; None where it would be in memory or temporary."""
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
    except ValueError:  # no file can have this name here: the one who opens it says so
        return name


class Match(NamedTuple):
    """The entries that let a server's database through, and why: by its identity, its place, or its address alone."""

    by_word: FrozenSet[str] = frozenset()
    by_place: FrozenSet[str] = frozenset()
    by_address: FrozenSet[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.by_word or self.by_place or self.by_address)

    @property
    def entries(self) -> FrozenSet[str]:
        return self.by_word | self.by_place | self.by_address


class AllowList:
    """The entries, without passwords, and whether a database is among them.

    `base` is the folder that relative paths are read from. MalformedEntry where an entry cannot be meant as it is
    written.
    """

    def __init__(self, entries: Iterable[str], base: str) -> None:
        self.rules = rules(entries)
        self.entries = tuple(rule.text for rule in self.rules)
        self.base = os.path.realpath(base)
        self._files = tuple((rule.text, *_file_patterns(rule.files, self.base)) for rule in self.rules if rule.files)
        self._judged: Dict[str, FrozenSet[str]] = {}
        self._judged_servers: Dict[Tuple[object, ...], Match] = {}

    def allows_file(self, path: Optional[str]) -> bool:
        """Tell whether a SQLite file may be opened; `path` is absolute, None in memory."""
        return path is None or bool(self.for_file(path))

    def for_file(self, path: str) -> FrozenSet[str]:
        """The entries that let a file through."""
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
        """Tell whether a connection may be used: `configured` is its URL, `observed` the server's own report, if any.

        `peer` is where its packets go: an entry for the host that has this address lets it through under any name.
        """
        return bool(self.for_server(configured, observed, peer))

    def for_server(self, configured: str, observed: Observed, peer: Optional[Peer] = None) -> Match:
        """The entries that let a server's database through.

        A suite opens many connections in few ways: each way is looked at once.
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
            rule.text for rule in self.rules if word and any(_answers(word, one) for one in rule.servers)
        )
        named = word.get("database")
        if named is not None and named != place.database:
            return Match(by_word)
        there = [rule for rule in self.rules if any(_is_at(place, one) for one in rule.places)]
        by_place = frozenset(rule.text for rule in there)
        if by_place or by_word:
            return Match(by_word, by_place)
        return Match(by_address=frozenset(
            rule.text for rule in self.rules if any(_leads_to(one, place, peer) for one in rule.places)
        ))

    def names_port_of(self, place: Place) -> FrozenSet[str]:
        """The entries of one host that name this port and database, whatever the host."""
        return frozenset(
            rule.text for rule in self.rules for one in rule.places if _is_literal(one) and _is_at(place, one[1:], 1)
        )

    def is_of_one_place(self, entry: str) -> bool:
        """Whether an entry names one host and port, and no pattern of them."""
        return any(_is_literal(place) for rule in self.rules if rule.text == entry for place in rule.places)

    def lets_all_through(self) -> Tuple[Tuple[str, str], ...]:
        """The entries that nothing is stopped by, each with what it lets through."""
        odd = "\x01"  # what nothing is called
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
        """The entries that are not among those that let something through; what is in memory needs none."""
        used = set(matched)
        return tuple(
            rule.text for rule in self.rules if rule.text not in used and (rule.files or rule.places or rule.servers)
        )


def _file_patterns(names: Iterable[str], base: str) -> Tuple[FrozenSet[str], FrozenSet[str]]:
    """The paths that names stand for, and the patterns."""
    exact, patterns = set(), set()
    pending = [name for name in names if name not in ("", ":memory:")]
    while pending:
        name = os.path.expanduser(pending.pop())
        exact.add(os.path.realpath(os.path.join(base, name)))
        pattern = name if os.path.isabs(name) else os.path.join(_literal(base), name)
        patterns |= {os.path.normpath(pattern), os.path.realpath(pattern)}
        if name.startswith("*/"):  # in whichever folder: the list's own is one of them
            pending.append(name[len("*/"):])
    return frozenset(exact), frozenset(patterns)


def _literal(path: str) -> str:
    """A path as a pattern that matches nothing else."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _answers(word: Mapping[str, Optional[str]], server: Server) -> bool:
    return all(
        pattern is None or fnmatchcase(word.get(name) or "", pattern)
        for name, pattern in zip(_ANSWERED, (server.number, server.cluster, server.database))
    )


def _is_at(place: Iterable[str], pattern: Iterable[str], skipped: int = 0) -> bool:
    return all(map(fnmatchcase, list(place)[skipped:], pattern))


def _is_literal(place: Place) -> bool:
    return not set(place.host + place.port) & set("*?[")


def _leads_to(pattern: Place, place: Place, peer: Optional[Peer]) -> bool:
    """Whether the entry's host is called otherwise than what was asked for, and is the address that was reached."""
    if not _is_literal(pattern) or not _is_at(place, pattern[1:], 1):
        return False
    reached = peer.host if peer is not None else place.host
    return not reached.startswith("/") and reached in addresses(pattern.host)


_addresses: Dict[str, FrozenSet[str]] = {}


def addresses(host: str) -> FrozenSet[str]:
    """The addresses of a host, which the system is asked for once; none of what has none."""
    if host not in _addresses:
        _addresses[host] = frozenset(_looked_up(host))
    return _addresses[host]


def _looked_up(host: str) -> List[str]:
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
    """The entry that allows this file and no other."""
    inside = os.path.relpath(path, base)
    if inside.startswith(".."):
        return escaped(path)
    last = inside.rpartition("/")[2]
    could_be_else = "." not in last or ":" in inside.partition("/")[0] or inside[0] in "~[" or inside[0].isdigit()
    return escaped(f"./{inside}" if could_be_else else inside)


def entry_for_server(
    configured: str, observed: Observed, peer: Optional[Peer] = None, by_word: bool = False,
) -> str:
    """The entry that allows this server's database: its place, or its identity where that differs, or `by_word`."""
    place, word = place_of(configured, peer), observed or {}
    if word.get("database") is not None and (by_word or word["database"] != place.database):
        cluster = f"@{escaped(word['cluster_name'] or '')}" if by_word and word.get("cluster_name") else ""
        return f"server:{word.get('system_identifier') or '*'}{cluster}/{escaped(word['database'] or '')}"
    host = place.host if set(place.host) & set("/:") else escaped(place.host)
    return str(Place(host or "*", place.port or "*", escaped(place.database) or "*"))
