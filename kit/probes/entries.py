"""The grammar of allow-list entries, the same for trace, for the re-runs of diagnose, and for the guard.

    localhost:5433/testdb       a server's database, by the host and port requested
    [::1]:5433/testdb           the same, by an IPv6 address; by a unix socket: [/run/postgresql]:5433/testdb
    server:7429385720384756123/testdb   by the server's own identity, at any host and port; without /testdb all its
                                databases; @name after the number requires this cluster_name, too
    postgresql+asyncpg://app@db:5433/testdb   a URL stands for the host, port and database, or the file, in it
    data/test.db, /tmp/pytest-*   a file; relative to the list's folder, `*` also matches slashes
    testdb                      no colon, slash or dot: a database of that name on any server, every database of a
                                server with that cluster_name, or a file of that name
    kit-test/testdb             cluster_name and database, as trace shows them, or a file in a folder

`*`, `?` and `[...]` are wildcards as in a shell, except in a URL, where `?` begins the query. An ambiguous or invalid
entry is rejected; a password in an entry is never kept or shown.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, NoReturn, Optional, Tuple
from urllib.parse import parse_qsl, unquote

from .own import os, re
from .own import own_builtins as __builtins__  # noqa: F401

PORTS = {
    "postgresql": "5432", "postgres": "5432", "cockroachdb": "26257", "redshift": "5439", "mysql": "3306",
    "mariadb": "3306", "oracle": "1521", "mssql": "1433",
}
FILE_SCHEMES = ("sqlite", "duckdb", "file")
WANTED = "host:port/name, a file, or server:system_identifier/name"
_BY_PLACE = "write host:port/name, without user and password"
_DIGITS_OF_A_SERVER = 15  # at least; unlikely as a file name
_NO_PORT = "has a port that is not a number from 1 to 65535"
_HIGHEST_PORT = 65535
_SCHEME = re.compile(r"[A-Za-z][\w.+-]*\Z")
_IN_A_PORT = re.compile(r"(\d|[*?]|\[!?[\d-]+\])+\Z")
_IN_A_NUMBER = re.compile(r"[\da-fA-F*?[\]!-]+\Z")  # a number for Postgres, a UUID for MySQL
_CONNECTION_STRING = re.compile(r"(?i)\s*(host|hostaddr|port|dbname|database|user|password|service|server|driver)\s*=")
_IN_BRACKETS = re.compile(r"\[[^]]*[:/][^]]*\]")  # an IPv6 address, or a folder
_PLACEHOLDER = re.compile(r"\$\{?\w|\{\{|%\(\w+\)s|\{env:")
_LISTED = re.compile(r"\[\s*(\"[^]\"]|'[^]'])")
_ANOTHER = re.compile(r"\s\S*(://|:[\d*?[\]-]+/)")


class MalformedEntry(ValueError):
    """An entry that is not valid: what was found, what is expected, and what to do."""

    def __init__(self, found: str, wanted: str = WANTED, remedy: str = "") -> None:
        self.found, self.wanted, self.remedy = found, wanted, remedy
        super().__init__(found, wanted, remedy)

    def __str__(self) -> str:
        remedy = f" To do: {self.remedy}." if self.remedy else ""
        return f"{self.found}. Wanted: {self.wanted}.{remedy}"


class Place(NamedTuple):
    """The host, port and database requested. The host of a unix socket is its folder."""

    host: str
    port: str
    database: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host or "/" in self.host else self.host
        return f"{host}:{self.port}/{self.database}"


class Server(NamedTuple):
    """A server by its identity; None matches any value."""

    number: Optional[str]
    cluster: Optional[str]
    database: Optional[str]


class Rule(NamedTuple):
    """What one entry allows. `text` is the entry as shown and passed on, without user and password."""

    text: str
    files: Tuple[str, ...] = ()
    places: Tuple[Place, ...] = ()
    servers: Tuple[Server, ...] = ()


def rules(entries: Iterable[str]) -> Tuple[Rule, ...]:
    """Parse entries, without duplicates. Raises MalformedEntry for the first that is not valid."""
    found: Dict[str, Rule] = {}
    for entry in entries:
        for rule in read(entry):
            found.setdefault(rule.text, rule)
    return tuple(found.values())


def read(entry: str) -> List[Rule]:
    """Parse one entry; a URL with several hosts gives one rule for each."""
    entry = entry.strip()
    _check_writing(entry)
    if "://" in entry:
        return _of_url(entry)
    if entry.startswith("server:") or entry[:_DIGITS_OF_A_SERVER].isdigit():
        return [_of_server(entry)]
    if entry == ":memory:":
        return [Rule(entry)]
    if entry.startswith("file:"):
        return [_of_file(entry)]
    if entry[0] not in "/.~" and (_IN_BRACKETS.match(entry) or ":" in _outside_brackets(entry).partition("/")[0]):
        return [_of_place(entry)]
    return [_of_name(entry)]


def _check_writing(entry: str) -> None:
    """Raise MalformedEntry for mistakes that can occur in any kind of entry."""
    if not entry:
        raise MalformedEntry("An entry of the allow-list is empty", remedy="remove it, or name a database")
    if not entry.isprintable():
        _refuse(entry, "contains a line break, or an invisible character", "write one entry per line, by hand")
    if entry[0] in "\"'" and entry[-1] == entry[0]:
        _refuse(entry, "is in quotation marks", "write it without them")
    if re.search(r"(^|\s)[#;]", entry):
        _refuse(entry, "contains a comment", "put the comment on a line of its own")
    if _PLACEHOLDER.search(entry):
        _refuse(entry, "contains a variable, which is not expanded", "write its value; for a literal $ write [$]")
    if _LISTED.match(entry):
        _refuse(entry, "is written as a list", "write one entry per line, without brackets and quotation marks")
    if _CONNECTION_STRING.match(entry):
        raise MalformedEntry("An entry of the allow-list is a connection string (name=value)", remedy=_BY_PLACE)
    if "://" in entry:
        return
    outside = _outside_brackets(entry)
    if "[" in outside:
        _refuse(entry, "has an unclosed [", "close it, or write [[] for a literal [")
    if "," in outside:
        _refuse(entry, "contains a comma", "write one entry per line (repeat --allow); for a comma in a name write [,]")
    if _ANOTHER.search(entry):
        _refuse(entry, "contains several entries", "write one entry per line (repeat --allow)")


def _refuse(entry: str, what: str, remedy: str, wanted: str = WANTED) -> NoReturn:
    raise MalformedEntry(f"The entry {shown(entry)!r} of the allow-list {what}", wanted, remedy)


def shown(entry: str) -> str:
    """Return an arbitrary entry with everything masked that may be a password."""
    before, at, after = entry.rpartition("@")
    if at and not entry.startswith("server:"):
        scheme, mark, _ = before.partition("://")
        entry = f"{scheme if mark else ''}{mark}***@{after}"
    head, query, _ = entry.partition("?")
    entry = f"{head}?***" if query and "://" in entry and "=" in entry else entry
    scheme, mark, rest = entry.rpartition("://")
    first, slash, name = rest.partition("/")
    host, colon, port = first.rpartition(":")
    if colon and host and not _IN_A_PORT.match(port) and not host.startswith("[") and scheme not in FILE_SCHEMES:
        first = f"{host}:***" if port and host != "server" else first
    return f"{scheme}{mark}{first}{slash}{name}"


# --- host:port/name ------------------------------------------------------------------------------------------------


def _of_place(entry: str) -> Rule:
    outside = _outside_brackets(entry)
    slash = outside.find("/")
    server, name = (entry, "") if slash < 0 else (entry[:slash], entry[slash + 1:])
    if "@" in server:
        _refuse(entry, "names a user", _BY_PLACE)
    first, _, after = server.partition(":")
    scheme = first.partition("+")[0].lower()
    if (scheme in PORTS or scheme in FILE_SCHEMES) and not _is_port(after):  # else a host that is called postgres
        slashes = "://host:port/name" if scheme in PORTS else ":///path"
        _refuse(entry, "is not a valid URL", f"write {scheme}{slashes}, or leave out {scheme}: at the beginning")
    colon = outside.rfind(":", 0, len(server))
    host, port = (server[:colon], server[colon + 1:]) if colon >= 0 else (server, "")
    if not host:
        _refuse(entry, "names no host", f"write *:{port or '*'}/{name or '*'} for any host")
    if re.search(r"\s", host) or (":" in host and not _is_literal(host)):
        _refuse(entry, "does not name one host", "write an IPv6 address in brackets: [::1]:5432/name")
    if not port:
        _refuse(entry, "names no port", f"write {host}:5432/{name or 'name'}")
    if slash >= 0 and not _is_port(port):
        _refuse(entry, _NO_PORT, f"write {host}:5432/{name or 'name'}; for a file of such a name write ./{host}:...")
    if not name:
        known = port if _is_port(port) else "5432"
        _refuse(entry, "names no database", f"write {host}:{known}/name, or {host}:{known}/* for every database there")
    place = Place(_host(host), str(int(port)) if port.isdigit() else port, name)
    return Rule(str(place), places=(place,))


def _is_literal(host: str) -> bool:
    """Return whether a host is an IPv6 address or a folder, in brackets."""
    return host.startswith("[") and host.endswith("]") and (":" in host or "/" in host)


def _is_port(port: str) -> bool:
    return bool(_IN_A_PORT.match(port)) and (not port.isdigit() or 1 <= int(port) <= _HIGHEST_PORT)


def _host(text: str) -> str:
    return same_host(text[1:-1] if _is_literal(text) else text)


def same_host(host: str) -> str:
    """Normalize a host: a name to lower case, an address or a folder to the system's own spelling."""
    if host.startswith("/"):
        return host if set(host) & set("*?[") else os.path.realpath(host)
    if ":" in host and not set(host) & set("*?["):
        import _socket

        try:
            return _socket.inet_ntop(_socket.AF_INET6, _socket.inet_pton(_socket.AF_INET6, host.partition("%")[0]))
        except OSError:
            return host.lower()
    return host.lower().rstrip(".")


def _outside_brackets(text: str) -> str:
    """Replace closed brackets by underscores of the same length to keep positions: `[a/b]` becomes `_____`."""
    found, start = text, 0
    while True:
        start = found.find("[", start)
        if start < 0:
            return found
        first = start + 1 + found.startswith("!", start + 1)
        end = found.find("]", first + 1)  # a leading ] is part of the set
        if end < 0:
            return found
        found = found[:start] + "_" * (end + 1 - start) + found[end + 1:]


# --- by the server's own report --------------------------------------------------------------------------------------


def _of_server(entry: str) -> Rule:
    server, slash, database = (entry[len("server:"):] if entry.startswith("server:") else entry).rpartition("/")
    number, at, cluster = (server if slash else database).partition("@")
    if not number or not _IN_A_NUMBER.match(number):
        _refuse(entry, "names no server", "write server: and the system_identifier that a refusal or kit trace shows",
                "server:system_identifier/name")
    if (slash and not database) or (at and not cluster):
        _refuse(entry, f"names no {'cluster' if at and not cluster else 'database'}", "name it, or leave out the @",
                "server:system_identifier@cluster_name/name")
    return Rule(entry, servers=(Server(number, cluster or None, database if slash else None),))


# --- URLs ----------------------------------------------------------------------------------------------------------


def _of_url(entry: str) -> List[Rule]:
    scheme, _, rest = entry.partition("://")
    kind = scheme.partition("+")[0].lower()
    if not _SCHEME.match(scheme):
        _refuse(entry, "is not a valid URL", "write postgresql://host:port/name or host:port/name")
    if kind in FILE_SCHEMES:
        return [_of_file_url(entry, kind, rest)]
    head, _, query = rest.partition("?")
    if "@" in query and "@" not in head and "/" not in head:
        _refuse(entry, "has a user or password with characters that a URL must escape", "leave both out")
    hosts, _, database = head.rpartition("@")[2].partition("/")
    given = dict(parse_qsl(query))
    database = unquote(database) or given.get("dbname") or given.get("database") or ""
    if not database:
        _refuse(entry, "names no database", "write it after the host: postgresql://host:port/name")
    places = [
        _url_place(entry, kind, host, given, database) for host in _hosts(hosts, parse_qsl(query))
    ]
    return [Rule(str(place), places=(place,)) for place in places]


def _hosts(hosts: str, query: List[Tuple[str, str]]) -> List[str]:
    """Return the hosts of a URL, each with its port if any: those in the query, or else those in the authority."""
    asked = [value for name, value in query if name in ("hostaddr", "host", "unix_sock", "unix_socket")]
    asked = [value for name, value in query if name == "hostaddr"] or asked
    return ",".join(asked).split(",") if asked else hosts.split(",")


def _url_place(entry: str, kind: str, host: str, query: Dict[str, str], database: str) -> Place:
    folder, socket, port = unquote(host).partition("/.s.PGSQL.")
    if not socket:
        folder, port = _split_port(host)
        folder = unquote(folder)
    port = port.partition(":")[0] or query.get("port", "").partition(",")[0] or PORTS.get(kind, "")
    if not folder:
        _refuse(entry, "names no host", "write host:port/name, or [/run/postgresql]:5432/name for a unix socket")
    if not port:
        _refuse(entry, "names no port", "write it after the host")
    if not _is_port(port):
        _refuse(entry, _NO_PORT, "write it after the host")
    return Place(_host(folder), port, database)


def _split_port(host: str) -> Tuple[str, str]:
    if host.startswith("/") or (host.startswith("[") and host.endswith("]")):
        return host, ""
    name, colon, port = host.rpartition(":")
    return (name, port) if colon else (host, "")


def _of_file_url(entry: str, kind: str, rest: str) -> Rule:
    host, _, path = rest.partition("?")[0].partition("/")
    if host and not (kind == "file" and host == "localhost"):
        _refuse(entry, "has two slashes; the URL of a file has three", f"write {kind}:///{host}")
    if kind == "file":
        path = f"/{path}"
    if dict(parse_qsl(rest.partition("?")[2])).get("mode") == "memory" or path in ("", ":memory:"):
        return Rule(f"{kind}://")
    return Rule(f"{entry.partition('://')[0]}:///{path}" if kind != "file" else f"file:{path}", files=(_file(path),))


# --- files and names -----------------------------------------------------------------------------------------------


def _of_file(entry: str) -> Rule:
    return Rule(entry.partition("?")[0], files=(_file(entry),))


def _file(name: str) -> str:
    return unquote(name[len("file:"):].partition("?")[0] if name.startswith("file:") else name)


def _of_name(entry: str) -> Rule:
    """Parse a file name that may also be the name of a server or a database, unless it can only be a path."""
    cluster, slash, database = entry.rpartition("/")
    if entry[0] in "/.~" or "." in database or "\\" in entry or not database:
        return Rule(entry, files=(entry,))
    anywhere = Place("*", "*", database)
    if not slash:
        return Rule(entry, (entry,), (anywhere,), (Server(None, None, entry), Server(None, entry, None)))
    if cluster == "*":
        return Rule(entry, (entry,), (anywhere,), (Server(None, None, database),))
    return Rule(entry, (entry,), servers=(Server(None, cluster, database),))


# --- the other way round -------------------------------------------------------------------------------------------


def escaped(name: str) -> str:
    """Escape a name so that, as an entry, it matches only itself."""
    found = "".join(f"[{letter}]" if letter in "*?[,#;\"'${%" else letter for letter in name)
    found = "".join(letter if letter.isprintable() else "?" for letter in found)
    return re.sub(r"^\s|\s$", lambda blank: f"[{blank[0]}]", found)
