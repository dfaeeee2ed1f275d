"""Secrets in columns that are aligned by blanks: tables as pandas and R print them, lists of names and values.

Standard library only. A column is what is between two rivers: positions that are blank in the head and in each row. A
few words in a line make no table: it takes a rule, an index, two blanks between the names, or three rows.
"""

from __future__ import annotations

from typing import Dict, List, Optional

from .own import own_builtins as __builtins__  # noqa: F401
from .own import re
from .secret_tables import (
    LINE_AT_MOST,
    Cell,
    Line,
    Span,
    Table,
    is_head_cell,
    is_rule,
    line_before,
    lines_after,
    may_lack_a_rule,
    secret_in,
    trimmed,
)

_WORD = re.compile(r"\S+")
_PART = re.compile(r"\S+(?: \S+)*")  # a cell: there are two blanks, or a tab, between two
_SERIES = re.compile(r" *Name: (?:\S.*), (?:Length: \d+, )?dtype: |dtype: ")
_FOOTER = re.compile(r" *\(\d+ rows?\)| *Name: .*dtype: |dtype: ")
_VERSION = re.compile(r"v?\d+(?:\.\d+)+\S*\Z|\d{1,4}%?\Z")
_ROWS_LOOKED_AT = 3
_ROWS_OF_PANDAS = 70
_LOOKED_THROUGH = 4000  # characters, for what ends a table


class _Columns:
    """The columns of a head, and the positions between them that are blank in all rows so far; relative to a line."""

    def __init__(self, head: str, words: List[Span]) -> None:
        self.words = words
        self.rivers = [list(range(words[at][1], words[at + 1][0])) for at in range(len(words) - 1)]
        # Before the first: an index, if there is room for it.
        self.margin = list(range(1, words[0][0])) if words[0][0] > 1 else []
        self.has_an_index = False
        self.is_hard = [len(river) > 1 for river in self.rivers]

    def join_what_a_row_joins(self, row: str) -> None:
        """Make one name of two that are one blank apart where the first row has no blank between them."""
        kept = [0]
        for number, river in enumerate(self.rivers):
            if self.is_hard[number] or _blank(row, river):
                kept.append(number + 1)
        ends = [*(number - 1 for number in kept[1:]), len(self.words) - 1]
        self.__init__("", [(self.words[a][0], self.words[b][1]) for a, b in zip(kept, ends)])  # type: ignore[misc]

    def take(self, row: str) -> bool:
        """Narrow the rivers by a row; False, and nothing changes, if a river ends with it."""
        rivers = [_blank(row, river) for river in self.rivers]
        if not all(rivers):
            return False
        indented = row[: self.words[0][0]]
        if not self.has_an_index and self.margin and indented.strip() and not row[self.words[0][0] :].strip():
            rivers, self.margin = self.rivers, [at for at in self.margin if at >= len(indented.rstrip())]  # its names
        is_index = bool(indented.strip())
        begins = len(row) - len(row.lstrip())
        margin = [at for at in _blank(row, self.margin) if at > begins] if is_index else self.margin
        if is_index and not margin and self.has_an_index:
            return False
        if is_index and margin and (row[: margin[0]].strip() or self.has_an_index):
            self.has_an_index = True
            self.margin = margin
        self.rivers = rivers
        return True

    def place(self, number: int, row: str, first: int = 0, last: int = -1) -> Span:
        """Return where a column is in a row: as much as it may be, if a blank within a value looks like a river."""
        start = self.rivers[number - 1][first] + 1 if number else self.margin[0] + 1 if self.has_an_index else 0
        end = self.rivers[number][last] if number < len(self.rivers) else len(row)
        return min(start, len(row)), min(end, len(row))

    def _is_numbered(self, rows: List[str]) -> bool:
        """Return whether the index is that of pandas, which counts the rows."""
        firsts = [(row.split() or [""])[0] for row in rows]
        return self.has_an_index and all(map(str.isdigit, firsts)) and firsts == sorted(set(firsts), key=int)

    def is_aligned(self, rows: List[str]) -> bool:
        """Return whether the cells of each column all begin, or all end, at one place: its name's, if one is alone.

        It is that of its name, too, if only one blank is between two names.
        """
        return all(
            any(self._is_aligned(rows, number, first, last) for first in (0, -1) for last in (-1, 0))
            for number in range(len(self.words))
        )

    def _is_aligned(self, rows: List[str], number: int, first: int, last: int) -> bool:
        is_close = (not all(self.is_hard) or len(self.words) == 1) and not self._is_numbered(rows)
        cells = [self.place(number, row, first, last) for row in rows]
        cells = [trimmed_in(row, cell) for row, cell in zip(rows, cells) if row[cell[0] : cell[1]].strip()]
        if is_close or len(cells) < 2:
            cells.append(self.words[number])
        is_one = is_close and len(self.words) == 1  # a line of code often begins where a word of another does
        return len({cell[1] for cell in cells}) < 2 or (not is_one and len({cell[0] for cell in cells}) < 2)


def _blank(row: str, river: List[int]) -> List[int]:
    return [at for at in river if row[at : at + 1] in ("", " ")]


def trimmed_in(row: str, cell: Span) -> Span:
    """Return a cell without the blanks around it."""
    inner = row[cell[0] : cell[1]]
    return cell[1] - len(inner.lstrip()), cell[0] + len(inner.rstrip())


def aligned(text: str, line: Line, limit: int) -> Optional[Table]:
    """Return the table aligned by blanks whose head a line is, or the value of an aligned list; or None."""
    head = text[line.start : line.end].rstrip()
    if head.endswith(" \\"):  # pandas goes on below with more columns
        head = head[:-1].rstrip()
    return _beside_blanks(text, line, head, limit) or _below_words(text, line, head, limit)


def _below_words(text: str, line: Line, head: str, limit: int) -> Optional[Table]:
    found = [word.span() for word in _WORD.finditer(head)]
    if not found or not all(is_head_cell(head[start:end]) for start, end in found):
        return None
    below = lines_after(text, line.end, limit)
    first = next(below, None)
    has_a_rule = first is not None and is_rule(text, first)
    if has_a_rule:
        first = next(below, None)
    if first is None:
        return None
    if has_a_rule and len(found) == 1:
        return _below_one(text, line, limit, head)
    columns = _Columns(head, found)
    row = _row(text, first)
    words = [head[start:end] for start, end in found]
    shifted = None if has_a_rule else _below_parts(text, line, limit, columns, words)
    if shifted is not None:
        return shifted
    columns.join_what_a_row_joins(row)
    cells = [head[start:end] for start, end in columns.words]
    names = {number: secret_in(cell) for number, cell in enumerate(cells) if secret_in(cell)}
    if cells == ["pass"] or not names or not all(map(is_head_cell, cells)) or not columns.take(row):
        return None
    rows = [row]
    lines = [first]
    for one in below:
        row = _row(text, one)
        if is_rule(text, one):
            continue
        if _FOOTER.match(row) or not columns.take(row):
            break
        rows.append(row)
        lines.append(one)
        if len(rows) == _ROWS_LOOKED_AT:
            break
    if not _is_a_table(text, line, columns, cells, rows, has_a_rule):
        return None
    return _cells_below(text, line, limit, columns, names, has_a_rule)


def _below_parts(text: str, head: Line, limit: int, columns: _Columns, cells: List[str]) -> Optional[Table]:
    """Return the table of lines that are not aligned, but have as many parts as the head, two blanks apart."""
    names = {number: secret_in(cell) for number, cell in enumerate(cells) if secret_in(cell)}
    if not names or len(cells) < 3 or not all(columns.is_hard) or not may_lack_a_rule(cells):
        return None
    found: List[Cell] = []
    end = head.end
    for line in lines_after(text, head.end, limit):
        parts = [part.span() for part in _PART.finditer(_row(text, line))]
        if len(parts) != len(cells):
            break
        found += [Cell(name, *(line.start + at for at in parts[number])) for number, name in names.items()]
        end = line.end
    return Table(found, head.end, end) if found else None


def _is_a_table(
    text: str, line: Line, columns: _Columns, cells: List[str], rows: List[str], has_a_rule: bool,
) -> bool:
    if has_a_rule and len(cells) > 1:
        return True
    if not columns.is_aligned(rows):
        return False
    above = text[slice(*line_before(text, line.start))]
    if len(cells) == 1:
        indented = columns.words[0][0]
        return columns.has_an_index and all(row[:indented].strip() and len(_WORD.findall(row)) > 1 for row in rows)
    if above.strip() and _fits(above, columns) and not columns.has_an_index:
        return False  # it is a row itself
    if columns.has_an_index:
        return True
    if lists_names_in(rows, columns, cells) or not may_lack_a_rule(cells):
        return False
    secret = [number for number, cell in enumerate(cells) if secret_in(cell)]
    apart = any(columns.is_hard[beside] for number in secret for beside in (number - 1, number)
                if 0 <= beside < len(columns.is_hard))  # fmt: skip
    return apart or len(rows) >= _ROWS_LOOKED_AT


def _below_one(text: str, line: Line, limit: int, head: str) -> Optional[Table]:
    """Return the only column of a table. A heading has a rule below it, too: then words follow."""
    name = secret_in(head.strip())
    rows: List[Line] = []
    is_of_psql, are_words = False, 0
    for number, one in enumerate(lines_after(text, line.end, limit)):
        row = _row(text, one)
        is_of_psql = _FOOTER.match(row) is not None
        if is_of_psql or (number and is_rule(text, one)):
            break
        are_words += " " in row.strip()
        if number:  # else the rule
            rows.append(one)
    if not name or not rows or (are_words and not is_of_psql):
        return None
    return Table([Cell(name, *trimmed(text, *one)) for one in rows], line.end, rows[-1].end)


def _fits(row: str, columns: _Columns) -> bool:
    rivers_are_kept = all(_blank(row, river) for river in columns.rivers)
    return rivers_are_kept and columns.is_aligned([row]) and len(_PART.findall(row)) > 1


def lists_names_in(rows: List[str], columns: _Columns, cells: List[str]) -> bool:
    """Return whether lines of two words are names with their values, not columns below a head."""
    if len(cells) != 2 or not secret_in(cells[0]) or secret_in(cells[1]):
        return False
    return all(is_head_cell(row[slice(*columns.place(0, row))].strip()) for row in rows)


def _cells_below(
    text: str, head: Line, limit: int, columns: _Columns, names: Dict[int, str], has_a_rule: bool,
) -> Table:
    found: List[Cell] = []
    end = head.end
    for line in lines_after(text, head.end, limit):
        row = _row(text, line)
        if not is_rule(text, line):
            if _FOOTER.match(row):
                break
            if "***" not in row and columns.take(row):
                places = {number: columns.place(number, row) for number in names}
            else:
                places = _by_number(row, columns, names)
                if not places:
                    break
            for number, (start, stop) in places.items():
                found.append(Cell(names[number], *trimmed(text, line.start + start, line.start + stop)))
        end = line.end
    return Table(found, head.end, end)


def _by_number(row: str, columns: _Columns, names: Dict[int, str]) -> Dict[int, Span]:
    """Return the cells of a row that is not aligned, because one is longer than its column, if it has as many words."""
    found = [word.span() for word in _WORD.finditer(row)]
    index = 1 if columns.has_an_index else 0
    if len(found) != len(columns.words) + index or len(columns.words) < 2:
        return {}
    return {number: found[number + index] for number in names}


def _row(text: str, line: Line) -> str:
    return text[line.start : line.end]


# --- names and values ------------------------------------------------------------------------------------------------


def _beside_blanks(text: str, line: Line, head: str, limit: int) -> Optional[Table]:
    """Return the value that is two blanks after a name, where the line above or below is aligned with it."""
    parts = [part.span() for part in _PART.finditer(head)]
    if len(parts) < 2 or not secret_in(head[slice(*parts[0])]):
        return None
    value = (parts[1][0], parts[-1][1])
    above = _row(text, line_before(text, line.start))
    below = next(lines_after(text, line.end, limit), None)
    if len(parts) > 2:  # several values: as pandas shows a table that is turned
        if not any(_is_numbered(one, len(parts) - 1) for one in _lines_above(text, line)):
            return None
    elif not _is_beside(above, parts):
        if secret_in(head[slice(*value)]) or below is None or not _is_beside(_row(text, below), parts):
            return None
        if not is_head_cell(_PART.findall(_row(text, below))[0]):
            return None
    is_one_word = " " not in head[slice(*value)]
    if len(parts) == 2 and not is_one_word and not _is_a_series(text, line, limit) and not any(
        is_rule_of_two(one) for one in _lines_above(text, line)
    ):  # fmt: skip
        return None
    if _VERSION.match(head[slice(*value)]):
        return None
    cell = Cell(secret_in(head[slice(*parts[0])]), line.start + value[0], line.start + value[1])
    return Table([cell], line.start, line.end)


def _is_beside(row: str, other: List[Span]) -> bool:
    """Return whether a row is a name and a value that are aligned with those of another."""
    parts = [part.span() for part in _PART.finditer(row)]
    is_near = len(parts) == 2 and (parts[1][0] == other[1][0] or parts[1][1] == other[1][1])
    return is_near and parts[0][0] == other[0][0]


def is_rule_of_two(row: str) -> bool:
    """Return whether a row is the rule below two names, such as `Key` and `Value`."""
    return re.match(r"-+ {2,}-+\s*\Z", row) is not None


def _is_numbered(row: str, number: int) -> bool:
    row = after_a_quote(row)
    return row[:1] == " " and row.split() == [str(one) for one in range(number)]


def after_a_quote(row: str) -> str:
    """Return what is after the last quote of a row, in which a text may begin."""
    return row[max(row.rfind('"'), row.rfind("'")) + 1 :]


def _lines_above(text: str, line: Line) -> List[str]:
    found = []
    for _ in range(20):
        line = line_before(text, line.start)
        if line.end <= line.start:
            break
        found.append(_row(text, line))
    return found


def _is_a_series(text: str, line: Line, limit: int) -> bool:
    below = lines_after(text, line.end, min(limit, line.end + _LOOKED_THROUGH))
    return any(_SERIES.match(text, one.start, one.end) for one in below)


def of_a_series(text: str, line: Line, name: Span) -> Optional[Table]:
    """Return the values of the series of pandas that a line ends: `Name: password, dtype: object`."""
    if text[line.start : name[0]].strip() != "Name:" or not _SERIES.match(text, line.start, line.end):
        return None
    found: List[Cell] = []
    above = line_before(text, line.start)
    while above.end > above.start and not _FOOTER.match(text, above.start, above.end):
        parts = _PART.search(text, above.start, above.end)
        if parts is not None and text[parts.end() : above.end].strip():
            found.append(Cell(text[slice(*name)], *trimmed(text, parts.end(), above.end)))
        above = line_before(text, above.start)
    return Table(found, line.end, line.end)


def _is_counted(text: str, line: Line, limit: int) -> bool:
    """Return whether the lines below are values with their counts, which pandas cuts at sixty."""
    for number, one in enumerate(lines_after(text, line.end, limit)):
        if _FOOTER.match(text, one.start, one.end):
            return number > 0
        if number > _ROWS_OF_PANDAS or len(_PART.findall(text, one.start, one.end)) != 2:
            return False
    return False


def index_below(text: str, line: Line, limit: int) -> Optional[Table]:
    """Return the values of an index of pandas, whose name is below the head, or alone above counts; or None."""
    head = text[line.start : line.end]
    name = secret_in(head.strip())
    indented = len(head) - len(head.lstrip())
    if not name or " " in head.strip():
        return None
    above = after_a_quote(_row(text, line_before(text, line.start)))
    is_below_a_head = above[:1] == " " and bool(above.strip()) and all(map(is_head_cell, above.split()))
    if not is_below_a_head and not _is_counted(text, line, limit):
        return None
    rows: List[Line] = []
    first = next(lines_after(text, line.end, limit), Line(0, 0))
    rivers = list(range(indented + 1, min(LINE_AT_MOST, first.end - first.start)))
    for one in lines_after(text, line.end, limit):
        if _FOOTER.match(text, one.start, one.end):
            break
        rivers = [at for at in _blank(_row(text, one), rivers) if one.start + at < one.end]
        if not rivers:
            return None
        rows.append(one)
    if not rows:
        return None
    before_values = len(above) - len(above.lstrip()) if is_below_a_head else rivers[-1]
    ends = max((at for at in rivers if at <= before_values), default=rivers[0])
    found = [
        Cell(name, *trimmed(text, one.start + indented, one.start + ends)) for one in rows
        if not text.startswith("***", one.start + indented)
    ]  # fmt: skip
    return Table(found, line.end, rows[-1].end)
