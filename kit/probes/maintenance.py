"""Which databases a statement makes, changes or drops: any of a server's, whichever of them the connection is to."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, NamedTuple, Tuple, Union

from .own import own_builtins as __builtins__  # noqa: F401
from .own import re
from .sql_tokens import Token, statements_of

# What nearly every statement is passed by at a glance: the words may have a comment of some length between them.
_SPEAKS = r"(?is)\b(?:create|drop|alter)\b.{0,1000}?\b%s\b"
_OF_DATABASES = {"postgresql": _SPEAKS % "database", "mysql": _SPEAKS % "(?:database|schema)" + r"|\buse\b"}
_PATTERNS: Dict[Tuple[str, type], Any] = {
    **{(dialect, str): re.compile(pattern) for dialect, pattern in _OF_DATABASES.items()},
    **{(dialect, bytes): re.compile(pattern.encode()) for dialect, pattern in _OF_DATABASES.items()},
}
_RUN_ALL_THE_SAME = re.compile(r"/\*!\d*([^*]*)\*/")
TEMPLATES_OF_ALL = ("template0", "template1", "default")


class Named(NamedTuple):
    """A database that a statement speaks of, and what it does to it, as it is written in SQL."""

    action: str
    database: str


def may_name(statement: Union[str, bytes], dialect: str = "postgresql") -> bool:
    """Tell at a glance whether a text may speak of a database: nearly none does."""
    kind = bytes if isinstance(statement, bytes) else str
    return _PATTERNS[dialect, kind].search(statement) is not None


def named_in(statement: Union[str, bytes], dialect: str = "postgresql") -> Tuple[Named, ...]:
    """Return the databases that a text of one statement or several makes, changes, drops, copies or goes over to.

    In MySQL a schema is a database, and USE goes over to another.
    """
    if not may_name(statement, dialect):
        return ()
    if isinstance(statement, bytes):
        statement = statement.decode(errors="replace")
    if dialect == "mysql":  # which runs what stands in such comments
        statement = _RUN_ALL_THE_SAME.sub(r" \1 ", statement)
    found: List[Named] = []
    for tokens in statements_of(statement):
        found += _named(tokens, dialect)
    return tuple(found)


def _named(tokens: List[Token], dialect: str) -> Iterator[Named]:
    words = [token.text if token.is_word else "" for token in tokens]
    nouns = ("database", "schema") if dialect == "mysql" else ("database",)
    if dialect == "mysql" and words[:1] == ["use"] and tokens[1:]:
        yield Named("USE", tokens[1].text)
    if words[:1] not in (["create"], ["drop"], ["alter"]) or words[1:2] not in [[noun] for noun in nouns]:
        return
    place = 2
    while words[place:place + 1] in (["if"], ["not"], ["exists"]):
        place += 1
    if place >= len(tokens):
        return
    action = f"{words[0]} {words[1]}".upper()
    yield Named(action, tokens[place].text)
    for number in range(place + 1, len(tokens)):
        before, name = words[number - 1], tokens[number].text
        if words[0] == "alter" and before == "to" and words[number - 2] == "rename":
            yield Named(f"{action} ... RENAME TO", name)
        is_template = words[0] == "create" and name != "=" and "template" in (before, *_before_sign(words, number))
        if is_template and name not in TEMPLATES_OF_ALL:
            yield Named(f"{action} ... TEMPLATE", name)


def _before_sign(words: List[str], number: int) -> List[str]:
    """Return the word before a sign that stands before what is looked at."""
    return words[number - 2:number - 1] if not words[number - 1] else []
