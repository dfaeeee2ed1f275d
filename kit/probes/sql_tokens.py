"""A tokenizer for SQL: words, names and signs, without strings and comments."""

from __future__ import annotations

from typing import Iterator, List, NamedTuple

from .own import own_builtins as __builtins__  # noqa: F401
from .own import re

_TOKEN = re.compile(
    r"""
    (?: \s+ | --[^\n]* )*
    (?:
      (?P<comment> /\* )
    | (?P<text> [eE]'(?:[^'\\]|\\.|'')*(?:'|\Z) | '(?:[^']|'')*(?:'|\Z) )
    | (?P<dollars> \$(?:[^\W\d]\w*|)\$ )
    | (?P<quoted> "(?:[^"]|"")*(?:"|\Z) | `(?:[^`]|``)*(?:`|\Z) )
    | (?P<word> [\w$]+ )
    | (?P<sign> . )
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_END_OF_COMMENT = re.compile(r"/\*|\*/")


class Token(NamedTuple):
    """A word in lower case, a quoted name as written, or a sign."""

    text: str
    is_word: bool
    is_quoted: bool = False


def statements_of(text: str) -> Iterator[List[Token]]:
    """Yield the tokens of each statement in a text, without strings and comments."""
    tokens: List[Token] = []
    place = 0
    while True:
        for found in _TOKEN.finditer(text, place):
            kind = found.lastgroup
            if kind == "word":
                tokens.append(Token(found[kind].lower(), True))
            elif kind == "quoted":
                tokens.append(Token(_unquoted(found[kind]), False, True))
            elif kind == "comment" or kind == "dollars":
                break
            elif kind == "sign" and found[kind] != ";":
                tokens.append(Token(found[kind], False))
            elif kind == "sign":
                yield tokens
                tokens = []
        else:
            yield tokens
            return
        place = _after_comment(text, found.end()) if kind == "comment" else _after(found[kind], text, found.end())


def _unquoted(name: str) -> str:
    quote, inner = name[0], name[1:]
    return (inner[:-1] if inner[-1:] == quote else inner).replace(quote * 2, quote)


def _after(end: str, text: str, place: int) -> int:
    found = text.find(end, place)
    return len(text) if found < 0 else found + len(end)


def _after_comment(text: str, place: int) -> int:
    depth = 1
    while depth:
        found = _END_OF_COMMENT.search(text, place)
        if found is None:
            return len(text)
        depth += 1 if found[0] == "/*" else -1
        place = found.end()
    return place
