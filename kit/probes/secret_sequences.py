"""Columns of secrets in lists of rows, as code, JSON and SQL write them: the names first, then the rows.

`[["user", "password"], ["u", "secret"]]`, `{"columns": [...], "data": [[...]]}` (pandas, `orient="split"`),
`parametrize("user,password", [("u", "secret")])`, `insert into t (name, password) values (...), (...)`,
`COPY t (name, password) FROM stdin;`. Standard library only.
"""

from __future__ import annotations

from typing import Dict, List, Optional

from .own import own_builtins as __builtins__  # noqa: F401
from .own import re
from .secret_tables import Cell, Span, Table, is_head_cell, secret_in, trimmed

_HEAD_AT_MOST = 2000  # characters
_ROWS_AT_MOST = 100_000
_NAME = r"[\"'`]?[\w.-]+(?: [\w.-]+){0,2}[\"'`]?"
_NAMES = re.compile(rf"\s*{_NAME}(?:\s*,\s*{_NAME})*\s*,?\s*\Z")
_ONE = re.compile(_NAME)
_ALL_QUOTED = re.compile(r"(?:\s*([\"'])[^\"'\n]*\1\s*,?)+\s*\Z")
_QUOTED_NAMES = re.compile(r"[\w-]+(?:\s*,\s*[\w-]+)*\Z")
_BLANKS_AT_MOST = 60
_IS_AFTER = re.compile(r"[(\[,]\s{0,50}[\"'`]?\Z|[\"']\Z")
_IS_BEFORE = re.compile(r"[\"'`]?\s{0,50}[)\],]|[\"']")
# Between the names and the first row.
_THEN_ROWS = re.compile(
    r"\s*,\s*(?:argvalues\s*=\s*)?[\[(]\s*(?:pytest\.param)?(?=[\[(])|\s*,\s*(?=[\[(])"
    r"|[^\[\]{}()]{0,40}(?:[\[][^\[\]]{0,2000}\][^\[\]{}()]{0,40})?[\"'](?:data|rows|values|records)[\"']\s*:\s*\[\s*(?=[\[(])"
)
_THEN_A_LIST = re.compile(r"\s*,\s*(?:argvalues\s*=\s*)?\[\s*(?:pytest\.param)?(?=[\[(])")
_PREFIX = re.compile(r"[bruBRUENn]{0,2}(?=[\"'])")
_THEN_VALUES = re.compile(r"\s*(?:overriding\s+\w+\s+value\s*)?values\s*(?=\()", re.I)
_INTO = re.compile(r"(?i)\binsert\s+(?:or\s+\w+\s+)?into\s+[\w.\"`\[\]]+\s*\Z")
_COPY = re.compile(r"(?i)\bcopy\s+[\w.\"]+\s*\Z")
_FROM_STDIN = re.compile(r"(?i)\s+from\s+stdin[^\n]*;[ \t]*\r?\n")
_STRING = r"(?:[bruBRUENn]{0,2}\"(?:[^\"\\]|\\.){0,5000}\"|[bruBRUENn]{0,2}'(?:[^'\\]|\\.|''){0,5000}')"
_VALUE = re.compile(
    rf"\s*(?P<value>(?:{_STRING}|[^\s\"',()\[\]{{}}]+|[\w.]*\((?:{_STRING}|[^()\"'])*\)"
    rf"|\[[^\[\]]*\]|\{{[^{{}}]*\}}|\s+(?=[^\s,)\]]))*)\s*(?P<end>[,)\]])"
)
_NEXT_ROW = re.compile(r"\s*,?\s*(?:pytest\.param)?(?=[\[(])")


def rows_below(text: str, start: int, end: int) -> Optional[Table]:
    """Return the table whose columns a list with the name of a secret between `start` and `end` names; or None."""
    if not (_IS_AFTER.search(text, max(0, start - _BLANKS_AT_MOST), start) and _IS_BEFORE.match(text, end)):
        return None
    quote = text[start - 1 : start]
    if quote in ("'", '"') or text[end : end + 1] in ("'", '"'):
        as_text = _in_one_text(text, start, end)
        if as_text is not None:
            return as_text
    opens = _opening(text, start)
    if opens is None:
        return None
    closes = text.find(")" if text[opens] == "(" else "]", end, end + _HEAD_AT_MOST)
    if closes == -1 or not _NAMES.match(text, opens + 1, closes):
        return None
    names = _numbered(text[opens + 1 : closes])
    before = text[max(0, opens - 200) : opens]
    if _COPY.search(before):
        return _copied(text, closes + 1, names)
    into = _THEN_VALUES.match(text, closes + 1) if _INTO.search(before) else None
    if into is None and not _ALL_QUOTED.match(text, opens + 1, closes):
        return None
    then = into or _THEN_ROWS.match(text, closes + 1)
    if then is None:
        return None
    return _rows(text, then.end(), names, closes, may_be_one=into is not None or ":" in then.group())


def _opening(text: str, start: int) -> Optional[int]:
    begins = max(0, start - _HEAD_AT_MOST)
    at = max(text.rfind("(", begins, start), text.rfind("[", begins, start))
    return at if at != -1 else None


def _in_one_text(text: str, start: int, end: int) -> Optional[Table]:
    """Return the rows below names that are one text: `"user,password"`."""
    begins = max(text.rfind(quote, max(0, start - _HEAD_AT_MOST), start) for quote in "\"'")
    if begins == -1:
        return None
    ends = text.find(text[begins], end, end + _HEAD_AT_MOST)
    if ends == -1 or not _QUOTED_NAMES.match(text, begins + 1, ends) or text[begins - 1 : begins] != "(":
        return None
    then = _THEN_A_LIST.match(text, ends + 1)
    return _rows(text, then.end(), _numbered(text[begins + 1 : ends]), ends) if then is not None else None


def _numbered(names: str) -> Dict[int, str]:
    """Return the columns with the names of secrets, and their number under -1."""
    found = [one.group() for one in _ONE.finditer(names)]
    if not all(is_head_cell(one) for one in found):
        return {-1: str(len(found))}
    return {-1: str(len(found)), **{number: secret_in(one) for number, one in enumerate(found) if secret_in(one)}}


def _rows(text: str, at: int, columns: Dict[int, str], head_end: int, may_be_one: bool = False) -> Optional[Table]:
    number = int(columns[-1])
    names = {column: name for column, name in columns.items() if column >= 0}
    found: List[Cell] = []
    for _ in range(_ROWS_AT_MOST if names else 0):
        fields = _fields(text, at, number)
        if fields is None or (number < 2 and not may_be_one):
            break
        values, at = fields
        found += [Cell(name, *_unquoted(text, *values[column])) for column, name in names.items()]
        following = _NEXT_ROW.match(text, at)
        if following is None:
            break
        at = following.end()
    return Table(found, head_end, at) if found else None


def _fields(text: str, at: int, number: int) -> "Optional[tuple[List[Span], int]]":
    found: List[Span] = []
    at += 1
    while len(found) <= number:
        field = _VALUE.match(text, at)
        if field is None:
            return None
        found.append(field.span("value"))
        at = field.end()
        if field["end"] != ",":
            if len(found) == number + 1 and found[-1][0] == found[-1][1]:
                found.pop()  # after a comma
            return (found, at) if len(found) == number else None
    return None


def _unquoted(text: str, start: int, end: int) -> Span:
    opening = _PREFIX.match(text, start, end)
    return trimmed(text, opening.end() if opening is not None else start, end)


def _copied(text: str, at: int, columns: Dict[int, str]) -> Optional[Table]:
    begins = _FROM_STDIN.match(text, at)
    if begins is None:
        return None
    found: List[Cell] = []
    end = begins.end()
    while end < len(text) and not text.startswith("\\.", end):
        stop = text.find("\n", end)
        stop = stop if stop != -1 else len(text)
        fields = text[end:stop].split("\t")
        if len(fields) != int(columns[-1]):
            break
        for column, name in columns.items():
            if column >= 0 and fields[column] != "\\N":
                start = end + sum(len(field) + 1 for field in fields[:column])
                found.append(Cell(name, start, start + len(fields[column])))
        end = stop + 1
    return Table(found, at, end) if found else None
