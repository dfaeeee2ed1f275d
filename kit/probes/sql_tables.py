"""The tables in a statement: names where SQL's grammar has a table, not a function, an alias or a named query."""

from __future__ import annotations

from typing import Iterator, List, Optional, Set, Tuple

from .own import own_builtins as __builtins__  # noqa: F401
from .sql_tokens import Token

_FIRST_WORDS = frozenset(("truncate", "copy"))  # followed by a table at the start of a statement
_BEFORE_A_FROM = frozenset(("select", "delete", "update", "show"))  # unlike in `extract(year from x)`
_BETWEEN = frozenset(
    ("only", "table", "if", "not", "exists", "lateral", "temp", "temporary", "unlogged", "or", "replace", "ignore")
)
_END_OF_LIST = frozenset(
    ("where", "group", "order", "having", "limit", "offset", "fetch", "union", "intersect", "except", "window", "for",
     "set", "values", "select", "with", "returning", "cascade", "restrict", "when", "default", "stdin", "stdout")
)  # fmt: skip
_SPEAKING = _FIRST_WORDS | _BEFORE_A_FROM | _END_OF_LIST | {"from", "join", "using", "table", "into", "(", ")", ","}


class _Level:
    """The state of the parser between two parentheses."""

    __slots__ = ("has_from", "in_list")

    def __init__(self) -> None:
        self.has_from = False  # whether FROM is followed by tables here
        self.in_list = False  # whether a comma is followed by a table here


def tables_in(tokens: List[Token]) -> Iterator[str]:
    """Yield the tables in a statement, in lower case, without their schema, possibly with duplicates."""
    if not tokens or tokens[0].text in ("grant", "revoke"):
        return
    queries = _named_queries(tokens)
    levels = [_Level()]
    opener = ""  # what introduced a table name that is expected next; "" if none is
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if not opener and token.text not in _SPEAKING:  # nearly every token
            place += 1
            continue
        level = levels[-1]
        name = _name_at(tokens, place, opener) if opener else None
        if name is not None:
            level.in_list = level.in_list or opener in ("from", "list")
            opener, place = "", name[1]
            if name[0] and name[0] not in queries:
                yield name[0]
            continue
        if _is_sign(token, "("):
            level.in_list = level.in_list or opener in ("from", "list")
            levels.append(_Level())
            opener = "" if opener == "using" else opener
        elif _is_sign(token, ")"):
            levels[1:] = levels[1:-1]
            opener = ""
        elif not (opener and token.text in _BETWEEN):
            opener = _opener(tokens, place, level)
            level.has_from = level.has_from or token.text in _BEFORE_A_FROM
            level.in_list = level.in_list and token.text not in _END_OF_LIST
        place += 1


def _opener(tokens: List[Token], place: int, level: _Level) -> str:
    """Return what a token introduces: "from" or "list" (several tables), "using", "one" (table), or ""."""
    token = tokens[place]
    before = tokens[place - 1].text if place else ""
    first = tokens[0].text
    if _is_sign(token, ","):
        return "from" if level.in_list else ""
    if not token.is_word:
        return ""
    word = token.text
    if word == "from":
        return "from" if (level.has_from or before in ("", "(")) and not _is_distinct_from(tokens, place) else ""
    if word == "join":
        return "from"
    if word == "using":
        return "using" if first in ("delete", "merge", "with", "explain") else ""
    if word == "table":
        return "list" if first in ("drop", "lock", "truncate") else "one"
    if word == "update":
        return "list" if before in ("", "(", ")", "explain", "analyze", "verbose") else ""
    if word in _FIRST_WORDS:
        return "list" if before in ("", "(") else ""
    return "one" if word == "into" else ""


def _is_distinct_from(tokens: List[Token], place: int) -> bool:
    words = [token.text for token in tokens[max(0, place - 3):place]]
    return words[-2:] == ["is", "distinct"] or words == ["is", "not", "distinct"]


def _name_at(tokens: List[Token], place: int, opener: str) -> Optional[Tuple[str, int]]:
    """Return the name at a position and the position after it; "" for a function, None if no name starts there."""
    name, place = _part_at(tokens, place)
    if name is None:
        return None
    while place < len(tokens) and _is_sign(tokens[place], "."):
        part, after = _part_at(tokens, place + 1, is_first=False)
        if part is None:
            break
        name, place = part, after
    is_function = opener in ("from", "using") and place < len(tokens) and _is_sign(tokens[place], "(")
    return ("" if is_function else name), place


def _part_at(tokens: List[Token], place: int, is_first: bool = True) -> Tuple[Optional[str], int]:
    token = tokens[place] if place < len(tokens) else Token("", False)
    if _is_sign(token, "[") and place + 2 < len(tokens):  # [name] in SQLite and SQL Server
        return tokens[place + 1].text.lower(), place + 3
    is_name = token.is_quoted or (token.is_word and not (is_first and token.text in _BETWEEN | _END_OF_LIST))
    return (token.text.lower(), place + 1) if is_name else (None, place)


def _named_queries(tokens: List[Token]) -> Set[str]:
    """Return the names of the queries in WITH."""
    found = set()
    if any(token.is_word and token.text == "with" for token in tokens):
        for place, token in enumerate(tokens):
            if token.is_word and token.text == "as" and _is_query(tokens, place + 1):
                found.add(_named_before(tokens, place - 1))
    return found


def _is_query(tokens: List[Token], place: int) -> bool:
    while place < len(tokens) and tokens[place].text in ("not", "materialized"):
        place += 1
    return place < len(tokens) and _is_sign(tokens[place], "(")


def _named_before(tokens: List[Token], place: int) -> str:
    """Return the name before AS, with or without a list of columns in between."""
    if place > 0 and _is_sign(tokens[place], ")"):
        while place > 0 and not _is_sign(tokens[place], "("):
            place -= 1
        place -= 1
    return tokens[place].text.lower() if place >= 0 else ""


def _is_sign(token: Token, sign: str) -> bool:
    return token.text == sign and not token.is_quoted
