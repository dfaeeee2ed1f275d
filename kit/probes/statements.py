"""What a statement does, as far as its text tells: does it write, to which tables, does it end a transaction?"""

from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

from .own import own_builtins as __builtins__  # noqa: F401
from .own import re

_STATEMENTS_AT_MOST = 2000  # that are remembered; a program has few, an ORM's loop may make many
_TEXT_AT_MOST = 4000  # characters of a statement that are looked at

_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_WRITES = re.compile(r"(?i)\s*(insert|update|delete|truncate|create|drop|alter|copy|merge|replace)\b")
_WRITES_WITHIN = re.compile(r"(?i)\b(insert\s+into|update\s+\S+\s+set|delete\s+from|merge\s+into)\b")
_WORD = re.compile(r"\s*([A-Za-z]+)")
_ENDS = re.compile(r"(?i)\s*(commit|rollback(?!\s+(work\s+|transaction\s+)?to\b)|end|abort)\b")
_TABLE = re.compile(
    r"(?i)\b(?:from|join|into|update|table|truncate|copy)\s+(?:only\s+|table\s+|if\s+(?:not\s+)?exists\s+)*"
    r"([\w.\"`\[\]]+)"
)


class Statement(NamedTuple):
    """What is known of a statement. `tables` are named without their schema, in small letters."""

    writes: bool
    ends: bool
    tables: Tuple[str, ...]
    verb: str = ""  # its first word, in small letters


_known: Dict[str, Statement] = {}


def read(text: str) -> Statement:
    """Return what a statement does; of a very long one, what its beginning tells."""
    statement = _known.get(text)
    if statement is None:
        if len(_known) >= _STATEMENTS_AT_MOST:
            _known.clear()
        statement = _known[text] = _read(text[:_TEXT_AT_MOST])
    return statement


def _read(text: str) -> Statement:
    text = _COMMENT.sub(" ", text)
    writes = _WRITES.match(text) is not None
    if not writes and text.lstrip()[:4].lower() == "with":
        writes = _WRITES_WITHIN.search(text) is not None
    tables = tuple(dict.fromkeys(_bare(name) for name in _TABLE.findall(text)))
    word = _WORD.match(text)
    return Statement(writes, _ENDS.match(text) is not None, tables, word.group(1).lower() if word is not None else "")


def _bare(name: str) -> str:
    return name.rpartition(".")[2].strip("\"`[]").lower()
