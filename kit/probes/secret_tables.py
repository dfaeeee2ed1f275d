"""Columns of secrets below their head, in tables of plain text. Standard library only.

A table is lines whose cells are between bars (psql, Markdown, frames of box-drawing signs), between commas, semicolons
or tabs (CSV), or aligned by blanks (`secret_aligned`). Its head is a line of names only; without a rule below it, it is
the first of its lines. A line that merely has the name of a secret in it is no head.
"""

from __future__ import annotations

from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .own import functools, re
from .own import own_builtins as __builtins__  # noqa: F401
from .secret_markup import name_in
from .secret_names import words

Span = Tuple[int, int]

LINE_AT_MOST = 5000  # characters of a head
_CELL_AT_MOST = 60
_BARS = "|\u2502\u2503\u2551\u2506\u254e"
_RULE = re.compile(
    r"(?:[E>][ \t])?[ \t]*(?=[^\n]*[-=\u2500\u2501\u2550])(?=[^\n]{3})[-=+|:~ \t\u2500-\u257f]+\Z"
)
_BLANK = re.compile(r"(?:[E>]?[ \t]*\r?|[E>])\Z")
_SPACED = re.compile(r" {3,}\r?\Z")  # rich puts such lines between rows
_HEAD_CELL = re.compile(
    r"[*_\"'`]*(?:[^\W\d][\w.:/%#()@+-]*"
    r"(?: {1,2}[\w.:/%#()@+-]+){0,3}|[#\u2116]|\.\.\.|\u2026)?[*_\"'`]*\Z"
)
_ENDS_A_SENTENCE = (".", ":", "(", "/", "-")
_NO_HEAD = words(
    "a an and assert class def del except for from global if import in insert into invalid is lambda missing new no "
    "not nonlocal of or print raise reset return select set that the this to values where with without wrong yield "
    "update delete await async else elif while"
)
_BESIDE_A_NAME = re.compile(  # what is beside a name in a list of settings, and is no name of a column
    r"(?i)(?:str|string|bytes|int|integer|float|bool|boolean|object|secretstr|varchar|text|required|optional|none|true|"
    r"false|yes|no|null|missing|invalid|hidden|passed|failed|error|skipped)\Z"
)
_TAIL = re.compile(r"[\"'](?:,\s*(?:[\"'\d{\[(]|None|True|False)|\s*[}\])][\s}\])]*\Z)")
_AFTER_A_TEXT = re.compile(r"[\"'](?:\s*[,}\])]|\Z)")
_COUNT = re.compile(r"[\d.,%()/ ]+\Z")
_IS_SENTENCE = re.compile(r"[A-Z]?[a-z]+(?: [a-z]+){2,}\Z")
_COUNTED = ("tokens", "passes", "pass", "secrets", "passwords", "credentials", "keys", "cookies")


class Cell(NamedTuple):
    """The place of what may be a secret, and the name above it."""

    name: str
    start: int
    end: int


class Table(NamedTuple):
    """The cells below the names of secrets, the ends of the head and of the table; a list of names has no head."""

    cells: List[Cell]
    head_end: int
    end: int


class Line(NamedTuple):
    """A line's start and end, without what ends it."""

    start: int
    end: int


def line_at(text: str, at: int) -> Optional[Line]:
    """Return the line around a position; None for one that is too long for a head."""
    start = text.rfind("\n", max(0, at - LINE_AT_MOST), at) + 1
    if start == 0 and at > LINE_AT_MOST:
        return None
    end = text.find("\n", at, start + LINE_AT_MOST)
    if end == -1:
        end = len(text)
        if end - start > LINE_AT_MOST:
            return None
    return Line(start, end - (text[end - 1 : end] == "\r" and end > start))


def line_before(text: str, start: int) -> Line:
    """Return the line before one that begins at `start`; an empty one where there is none, or beyond bounds."""
    if start == 0:
        return Line(0, 0)
    begins = text.rfind("\n", max(0, start - 1 - LINE_AT_MOST), start - 1) + 1
    return Line(begins if begins or start <= LINE_AT_MOST else start - 1, start - 1)


def lines_after(text: str, end: int, limit: int) -> Iterator[Line]:
    """Yield the lines after the one that ends at `end`, up to one that is blank, or to `limit`."""
    at = text.find("\n", end, limit)
    while at != -1 and at + 1 < limit:
        start = at + 1
        at = text.find("\n", start, limit)
        stop = at if at != -1 else limit
        if _BLANK.match(text, start, stop):
            if at == -1 or not _SPACED.match(text, start, stop):
                return
            continue
        if _AFTER_A_TEXT.match(text, start, stop):
            return
        yield Line(start, stop - (text[stop - 1] == "\r"))


def is_rule(text: str, line: Line) -> bool:
    """Return whether a line is drawn, such as one below a head."""
    return line.end - line.start <= LINE_AT_MOST and _RULE.match(text[line.start : line.end]) is not None


def is_head_cell(cell: str) -> bool:
    """Return whether a text may be the name of a column."""
    if len(cell) > _CELL_AT_MOST or cell.endswith(_ENDS_A_SENTENCE) or _HEAD_CELL.match(cell) is None:
        return False
    if cell and not cell.strip("*_`"):
        return False
    return not words(cell.lower()) & _NO_HEAD


@functools.lru_cache(maxsize=4096)
def secret_in(cell: str) -> str:
    """Return the name of a secret that is all of a head's cell, or the empty text."""
    return name_in(cell.strip("*\"'` ")) if is_head_cell(cell) else ""


def is_a_count(name: str, value: str) -> bool:
    """Return whether a value is a number of tokens or of tests that pass."""
    return name.lower().endswith(_COUNTED) and _COUNT.match(value) is not None


def trimmed(text: str, start: int, end: int) -> Span:
    """Return a span without the blanks and quotes around it, and without what follows a table in JSON or a repr."""
    tail = _TAIL.search(text, start, end)
    end = tail.start() if tail is not None else end
    inner = text[start:end]
    start, end = end - len(inner.lstrip()), start + len(inner.rstrip())
    if end - start > 1 and text[start] == text[end - 1] and text[start] in "\"'`":
        return start + 1, end - 1
    return min(start, end), end


def may_lack_a_rule(cells: Sequence[str]) -> bool:
    """Return whether cells may be a head by themselves: what is beside the name of a secret is no type or remark."""
    if any(" " in one.strip() and _IS_SENTENCE.match(one) for one in cells):
        return False
    return not any(secret_in(cells[at]) and _BESIDE_A_NAME.match(cells[at + 1]) for at in range(len(cells) - 1))


def lists_names(firsts: Sequence[str], cells: Sequence[str]) -> bool:
    """Return whether lines of two cells, the first with a secret's name, are names with their values, not a column."""
    if len(cells) != 2 or not secret_in(cells[0]) or secret_in(cells[1]):
        return False
    return all(is_head_cell(first) and first for first in firsts)


# --- between bars ----------------------------------------------------------------------------------------------------


def _bars_of(text: str, line: Line) -> List[int]:
    """Return the positions of the bars of a line: those of ASCII if the first is one, else the drawn ones."""
    first = next((letter for letter in text[line.start : line.end] if letter in _BARS), "")
    if not first:
        return []
    kind = "|" if first == "|" else _BARS[1:]
    return [
        at for at in range(line.start, line.end)
        if text[at] in kind and (kind != "|" or text[at - 1 : at] != "\\")
    ]  # fmt: skip


def _cells_of(text: str, line: Line, has_frame: bool) -> List[Span]:
    bars = _bars_of(text, line)
    edges = [line.start - 1, *bars, line.end]
    cells = [(edges[at] + 1, edges[at + 1]) for at in range(len(edges) - 1)]
    if not has_frame or not bars:
        return cells
    return cells[1:-1] if not text[cells[-1][0] : line.end].strip() else cells[1:]


def between_bars(text: str, line: Line, limit: int) -> Optional[Table]:
    """Return the table with bars whose head a line is, or the values of a list with bars; None if it is neither."""
    bars = _bars_of(text, line)
    if not bars:
        return None
    has_frame = not text[line.start : bars[0]].strip("E> \t")
    cells = _cells_of(text, line, has_frame)
    shown = [text[start:end].strip() for start, end in cells]
    names = {number: secret_in(cell) for number, cell in enumerate(shown) if secret_in(cell)}
    if not names:
        return None
    if all(map(is_head_cell, shown)) and _is_first(text, line, has_frame, len(cells)):
        below = list(_first(lines_after(text, line.end, limit), 4))
        if _is_head(text, below, shown, has_frame):
            return _below_bars(text, line, limit, names, cells, has_frame)
    return None if has_frame else _beside_a_bar(text, line, limit, names, bars)


def _is_first(text: str, line: Line, has_frame: bool, number: int) -> bool:
    """Return whether no row of the same table is above a line."""
    above = line_before(text, line.start)
    if is_rule(text, above):
        above = line_before(text, above.start)
    return is_rule(text, above) or len(_cells_of(text, above, has_frame)) != number or number == 1


def _is_head(text: str, below: List[Line], shown: List[str], has_frame: bool) -> bool:
    rules = [is_rule(text, line) for line in below]
    rows = [line for line, is_one in zip(below, rules) if not is_one]
    if not rows:
        return False
    firsts = [text[slice(*_cells_of(text, line, has_frame)[0])].strip() for line in rows]
    has_a_rule = rules[0] or (len(rules) > 1 and rules[1])  # a row of types may be between them
    is_a_grid = rules[0] and len(rules) > 2 and rules[2]
    if has_a_rule and not is_a_grid:
        return True
    if len(shown) == 1 or (not has_a_rule and not has_frame and any(" " in one for one in shown)):
        return False
    if lists_names(firsts, shown) or not (has_a_rule or may_lack_a_rule(shown)):
        return False
    return len(_cells_of(text, rows[0], has_frame)) >= len(shown)


def _below_bars(
    text: str, head: Line, limit: int, names: Dict[int, str], columns: List[Span], has_frame: bool,
) -> Table:
    found: List[Cell] = []
    end = head.end
    edges = [(start - head.start, stop - head.start) for start, stop in columns]
    for line in lines_after(text, head.end, limit):
        if not is_rule(text, line):
            cells = _cells_of(text, line, has_frame)
            more = len(cells) - len(columns)
            if more < 0:
                break
            for number, name in names.items():
                start, stop = cells[number][0], cells[number + more][1]
                if more and _has_bars_at(text, line, edges):
                    start, stop = line.start + edges[number][0], line.start + edges[number][1]
                found.append(Cell(name, *trimmed(text, start, min(stop, line.end))))
        end = line.end
    return Table(found, head.end, end)


def _has_bars_at(text: str, line: Line, edges: List[Span]) -> bool:
    return all(text[line.start + end : line.start + end + 1] in _BARS for _, end in edges)


def _beside_a_bar(text: str, line: Line, limit: int, names: Dict[int, str], bars: List[int]) -> Optional[Table]:
    """Return the value of a list without a frame, as psql shows it with `\\x`; lines without a name go on with it."""
    column = bars[0] - line.start
    is_tight = text[bars[0] - 1 : bars[0]].strip() != "" and text[bars[0] + 1 : bars[0] + 2].strip() != ""
    if 0 not in names or not (is_tight or _is_in_a_list(text, line, column, limit)):
        return None
    found = [Cell(names[0], *trimmed(text, bars[0] + 1, line.end))]
    end = line.end
    for more in lines_after(text, line.end, limit) if not is_tight else ():
        at = more.start + column
        if text[at : at + 1] not in (*_BARS, "") and not text[more.start : at].strip():
            break
        if text[more.start : at].strip() or text[at : at + 1] not in _BARS or at >= more.end:
            break
        found.append(Cell(names[0], *trimmed(text, at + 1, more.end)))
        end = more.end
    return Table(found, line.start, end)


def _is_in_a_list(text: str, line: Line, column: int, limit: int) -> bool:
    above = line_before(text, line.start)
    if is_rule(text, above) or re.search(r"[-\u2500]\[ ", text[above.start : above.end]):
        return True
    for near in (above, next(lines_after(text, line.end, limit), Line(0, 0))):
        at = near.start + column
        if at < near.end and text[at] in _BARS and is_head_cell(text[near.start : at].strip()):
            return True
    return False


def _first(lines: Iterator[Line], number: int) -> Iterator[Line]:
    for _, line in zip(range(number), lines):
        yield line


# --- between commas, semicolons, tabs --------------------------------------------------------------------------------

_QUOTED_FIELD = (
    r"(?:\"(?P<quoted>(?:[^\"]|\"\"){0,2000})\"|'(?P<single>[^'\n]*)'(?=%s|\r?\n|\Z)|(?P<bare>[^%s\r\n]*))"
)
_FIELDS = {
    sign: r"[ ]*" + _QUOTED_FIELD % (sign, sign) + rf"[ ]*(?P<end>{sign}|\r?\n|\Z)" for sign in (r"\t", ",", ";", "&")
}


def separated(text: str, line: Line, limit: int) -> Optional[Table]:
    """Return the table whose cells are between tabs, commas or semicolons and whose head a line is; or None."""
    shown = text[line.start : line.end]
    sign = next((sign for sign in _FIELDS if (sign if sign != r"\t" else "\t") in shown), "")
    if not sign:
        return None
    begins = line.start + len(shown) - len(shown.lstrip("#E> "))
    head = _record(text, begins, sign, limit)
    if head is None or len(head[0]) < 2:
        return None
    cells = [text[start:end] for start, end in head[0]]
    names = {number: secret_in(cell) for number, cell in enumerate(cells) if secret_in(cell)}
    if not names or not all(cells[1:]) or not all(map(is_head_cell, cells)) or not may_lack_a_rule(cells):
        return None
    above = line_before(text, line.start)
    if len(_record(text, above.start, sign, above.end)[0]) == len(cells) and above.end > above.start:
        return None
    if sign == r"\t" and lists_names(_firsts(text, head[1], sign, limit), cells):
        return None
    return _below_separated(text, line, head[1], sign, limit, names, len(cells))


def _record(text: str, at: int, sign: str, limit: int) -> Tuple[List[Span], int]:
    """Return the fields of a record without their quotes, and where the next begins; none if it is no record."""
    pattern, fields = _compiled(_FIELDS[sign]), []
    while True:
        field = pattern.match(text, at, limit)
        if field is None:
            return [], at
        fields.append(field.span(next(kind for kind in ("quoted", "single", "bare") if field[kind] is not None)))
        at = field.end()
        if field["end"] in ("\n", "\r\n", ""):
            return fields, at


def _firsts(text: str, at: int, sign: str, limit: int) -> List[str]:
    found = []
    for _ in range(4):
        fields, at = _record(text, at, sign, limit)
        if len(fields) != 2:
            break
        found.append(text[slice(*fields[0])])
    return found


def _below_separated(
    text: str, head: Line, at: int, sign: str, limit: int, names: Dict[int, str], number_of_cells: int,
) -> Optional[Table]:
    found: List[Cell] = []
    while at < limit:
        fields, after = _record(text, at, sign, limit)
        more = len(fields) - number_of_cells
        if more < 0 or (more and not found):
            break
        for number, name in names.items():
            found.append(Cell(name, *trimmed(text, fields[number][0], fields[number + more][1])))
        at = after
    return Table(found, head.end, at) if found else None


@functools.lru_cache(maxsize=None)
def _compiled(pattern: str, flags: int = 0) -> "re.Pattern[str]":
    return re.compile(pattern, flags)
