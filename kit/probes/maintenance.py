"""The databases that a statement creates, alters or drops; they can differ from the one that the connection is to."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, NamedTuple, Tuple, Union

from .own import own_builtins as __builtins__  # noqa: F401
from .own import re
from .sql_tokens import Token, statements_of

# A cheap filter that nearly every statement fails. The two words may have a comment of some length between them.
_SPEAKS = r"(?is)\b(?:create|drop|alter)\b.{0,1000}?\b%s\b"
_OF_DATABASES = {"postgresql": _SPEAKS % "database", "mysql": _SPEAKS % "(?:database|schema)" + r"|\buse\b"}
_PATTERNS: Dict[Tuple[str, type], Any] = {
    **{(dialect, str): re.compile(pattern) for dialect, pattern in _OF_DATABASES.items()},
    **{(dialect, bytes): re.compile(pattern.encode()) for dialect, pattern in _OF_DATABASES.items()},
}
_RUN_ALL_THE_SAME = re.compile(r"/\*!\d*([^*]*)\*/")
TEMPLATES_OF_ALL = ("template0", "template1", "default")


class Named(NamedTuple):
    """A database named in a statement, and the action on it, as written in SQL."""

    action: str
    database: str


def may_name(statement: Union[str, bytes], dialect: str = "postgresql") -> bool:
    """Return whether a text may name a database. Cheap, since nearly no statement does."""
    kind = bytes if isinstance(statement, bytes) else str
    return _PATTERNS[dialect, kind].search(statement) is not None


def named_in(statement: Union[str, bytes], dialect: str = "postgresql") -> Tuple[Named, ...]:
    """Return the databases that one or several statements create, alter, drop, copy or switch to.

    In MySQL a schema is a database, and USE switches to another.
    """
    if not may_name(statement, dialect):
        return ()
    if isinstance(statement, bytes):
        statement = statement.decode(errors="replace")
    if dialect == "mysql":  # MySQL executes the content of such comments
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
    """Return the word before the previous token if that token is a sign such as `=`; else an empty list."""
    return words[number - 2:number - 1] if not words[number - 1] else []
