"""What a statement does, from its text: whether it writes, to which tables, and whether it ends a transaction."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Tuple

from .own import own_builtins as __builtins__  # noqa: F401
from .sql_tables import tables_in
from .sql_tokens import Token, statements_of

_STATEMENTS_AT_MOST = 2000  # cached; a program has few, but a loop over an ORM can generate many
_TEXT_AT_MOST = 4000  # characters of a statement that are parsed

_WRITES = frozenset(
    ("insert", "update", "delete", "truncate", "create", "drop", "alter", "copy", "merge", "replace")
)
_WRITES_WITHIN = frozenset(("insert", "update", "delete", "merge"))
_SETS = frozenset(("set", "reset", "discard", "attach", "detach"))
_SETTING = frozenset(("set_config", "pg_advisory_lock", "pg_try_advisory_lock"))
_EXPLAINED = _WRITES_WITHIN | {"select", "with", "values", "create"}


class Statement(NamedTuple):
    """The facts about a text of one or several statements.

    `tables` are lower case, without schema; `verb` is the first word in lower case, "" without one. `sets` says whether
    it sets something of the database or of its connection that is not a row (`set`, `pragma x = 1`, `attach`).
    """

    writes: bool
    ends: bool
    tables: Tuple[str, ...]
    verb: str = ""
    sets: bool = False


_known: Dict[str, Statement] = {}


def read(text: str) -> Statement:
    """Parse a text of one or several statements, with a cache; of a very long text only the beginning."""
    statement = _known.get(text)
    if statement is None:
        if len(_known) >= _STATEMENTS_AT_MOST:
            _known.clear()
        statement = _known[text] = _read(text[:_TEXT_AT_MOST])
    return statement


def _read(text: str) -> Statement:
    statements = [tokens for tokens in statements_of(text) if tokens]
    tables = dict.fromkeys(table for tokens in statements for table in tables_in(tokens))
    first = statements[0][0] if statements else None
    return Statement(
        any(_writes(tokens) for tokens in statements),
        any(_ends(tokens) for tokens in statements),
        tuple(tables),
        first.text if first is not None and first.is_word else "",
        any(_sets(tokens) for tokens in statements),
    )


def _writes(tokens: List[Token]) -> bool:
    words = [token.text if token.is_word else "" for token in tokens]
    if words[0] == "explain":
        start = next((place for place, word in enumerate(words) if word in _EXPLAINED), 0)
        is_run = "analyze" in words[:start] or "analyse" in words[:start]
        return is_run and _writes(tokens[start:])
    if words[0] == "with":
        return any(word in _WRITES_WITHIN and tokens[place - 1].text in ("(", ")") for place, word in enumerate(words))
    if words[0] == "copy":  # `copy t to ...` only reads
        return "to" not in words and [token.text for token in tokens[1:2]] != ["("]
    return words[0] in _WRITES


def _sets(tokens: List[Token]) -> bool:
    texts = [token.text for token in tokens]
    if texts[0] == "pragma":
        return "=" in texts or "(" in texts
    return texts[0] in _SETS or not _SETTING.isdisjoint(texts)


def _ends(tokens: List[Token]) -> bool:
    words = [token.text for token in tokens[:3]]
    if words[0] == "rollback":  # rollback to a savepoint does not end the transaction
        return "to" not in words
    return tokens[0].is_word and words[0] in ("commit", "end", "abort")
