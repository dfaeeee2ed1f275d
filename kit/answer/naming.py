"""Short names for the databases of one picture, and what each stands for. Pure.

A URL takes half a line, and two of them differ in a few letters. So a picture gives each database one name, which is as
short as tells it from the others, and says once what is behind it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kit.analysis.databases import Database
from kit.analysis.reach import Reach
from kit.analysis.url_source import leads_to
from kit.answer.model import Answer
from kit.probes.allow import place_of

SHORT = 32
"""The most letters of a short name; longer ones are replaced by a letter for each database."""

_ADDRESSES_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class Named:
    """A database under its short `name`. `whole` is its name in the answer, `addresses` where it was asked for.

    `allowed` is whether it may be reached: None without an allow-list, and for an address at which not one database
    answered, of which `note` says so.
    """

    name: str
    whole: str
    kind: str
    allowed: bool | None = None
    addresses: tuple[str, ...] = ()
    note: str = ""

    @property
    def described(self) -> str:
        """What the short name stands for, in words: the whole name if it differs, addresses, kind, judgement."""
        whole = self.whole if self.whole != self.name else ""
        at = " ".join(filter(None, (whole, f"at {', '.join(self.addresses)}" if self.addresses else "")))
        judged = {True: "allowed", False: "not allowed", None: ""}[self.allowed]
        return ", ".join(filter(None, (at, self.kind, judged, self.note)))


@dataclass(frozen=True, slots=True)
class Names:
    """The databases of a picture, by their identity and by the values (URLs, paths) that name them."""

    by_id: Mapping[str, Named]
    by_value: Mapping[str, Named]

    def of(self, value: str | None) -> Named | None:
        """The database that a value names; None for a value that is no URL and no path of one."""
        return self.by_value.get(value or "")


def names(answer: Answer, reached: Iterable[Reach], values: Iterable[str]) -> Names:
    """Name the databases that are reached, and those that the values name, each with one name.

    A value that is the URL or the path of one database of the run has that database's name; any other URL has a name of
    its own, because nothing says which database is behind it.
    """
    named = {value: _named_by(answer, value) for value in dict.fromkeys(values)}
    long = {reach.database.id: _database(answer, reach.database) for reach in reached}
    long |= {key: one for key, one in filter(None, named.values()) if key not in long}
    short = dict(zip(long, shortest([*long.values()]), strict=True))
    by_id = {key: replace(one, name=short[key]) for key, one in long.items()}
    return Names(by_id, {value: by_id[found[0]] for value, found in named.items() if found is not None})


def shortest(ones: Sequence[Named]) -> list[str]:
    """The shortest names that tell these apart: the database's or file's, else the server's, else the whole."""
    for level in (_own_name, _server, lambda one: one.whole):
        found = [level(one) for one in ones]
        if all(found) and len({*found}) == len(found) and max(map(len, found), default=0) <= SHORT:
            return found
    return [f"database {_letters(number)}" for number in range(len(ones))]


def shortest_suffixes(dotted: Iterable[str]) -> dict[str, str]:
    """{dotted name: its shortest ending that no other one has}."""
    known = [*dict.fromkeys(dotted)]
    return {name: next((end for end in _endings(name) if _is_of_one(end, known)), name) for name in known}


def _named_by(answer: Answer, value: str) -> tuple[str, Named] | None:
    """(key, database) that a value names; the key of an address is the address."""
    found = {reach.database.id: reach.database for reach in answer.reached if _leads_to(value, reach)}
    if len(found) > 1:  # a path is that of a file below the folder of the command, rather than of one further down
        found = {key: one for key, one in found.items() if one.path == _path(answer, value)} or found
    if len(found) == 1:
        [database] = found.values()
        return database.id, _database(answer, database)
    scheme, apart, rest = value.partition("://")
    if not apart or not rest.strip("/"):
        return None
    kind = scheme.partition("+")[0]
    whole = rest.removeprefix("/") if kind == "sqlite" else str(place_of(value))
    note = f"{len(found)} databases answered there" if found else "not reached in this run"
    return f"{kind}:{whole}", Named(whole, whole, kind, note=note)


def _leads_to(value: str, reach: Reach) -> bool:
    """As `leads_to`, but the name of a file must be whole: `db` does not lead to prod.db."""
    path = reach.database.path
    same_file = path is None or os.path.basename(path) == os.path.basename(value.partition("?")[0])
    return bool(value) and same_file and leads_to(value, reach)


def _path(answer: Answer, value: str) -> str:
    """The path that a value names, from the folder in which the command ran."""
    bare = (value.partition(":///")[2] or value).partition("?")[0]
    return os.path.normpath(os.path.join(os.path.realpath(answer.allowed.folder), bare))


def _database(answer: Answer, database: Database) -> Named:
    asked = dict.fromkeys(str(place_of(configured)) for configured, _, _ in database.asked)
    others = [_server_of(address, database.name) for address in asked if address != database.name]
    return Named(
        database.name, database.name, database.kind, answer.judged(database), tuple(others[:_ADDRESSES_AT_MOST])
    )


def _server_of(address: str, name: str) -> str:
    """The server of an address; the whole of it where it has another name for the database."""
    server, _, asked = address.rpartition("/")
    return server if asked == name.rpartition("/")[2] else address


def _own_name(one: Named) -> str:
    return one.whole.rpartition("/")[2]


def _server(one: Named) -> str:
    """The server of a database; a file with its folder."""
    before, _, last = one.whole.rpartition("/")
    return "/".join(filter(None, (before.rpartition("/")[2], last))) if one.kind == "sqlite" else before


def _letters(number: int) -> str:
    return (_letters(number // 26 - 1) if number >= 26 else "") + chr(ord("A") + number % 26)


def _endings(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[start:]) for start in reversed(range(len(parts))))


def _is_of_one(end: str, known: Sequence[str]) -> bool:
    return sum(name == end or name.endswith(f".{end}") for name in known) == 1
