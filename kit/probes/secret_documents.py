"""Columns of secrets in the tables of documents: Jira, MediaWiki, AsciiDoc, LaTeX. Standard library only.

Their cells are told by marks of the language, not by lines: a cell may be a line, and a row several. Each table is read
as a list of cells in order, of which the first are the head.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Iterator, List, Optional, Tuple

from .own import own_builtins as __builtins__  # noqa: F401
from .own import re
from .secret_tables import Cell, Line, Span, Table, is_head_cell, secret_in

_BLOCK_AT_MOST = 200_000  # characters of a table
_ABOVE_AT_MOST = 5_000  # characters between the begin of a table and a name in its head
_BLANK_LINE = re.compile(r"\n[ \t]*\r?\n")

_JIRA_HEAD = re.compile(r"[ \t]*\|\|[^|\n]+(?:\|\|[^|\n]+)*\|\|[ \t]*\r?\Z")
_JIRA_BAR = re.compile(r"(?<!\\)\|")
_JIRA_ROW = re.compile(r"\n[ \t]*\|(?!\|)(?P<cells>[^\n]*)\|[ \t]*\r?(?=\n|\Z)")

_WIKI_BEGIN = re.compile(r"(?:\A|[\n\"'])[ \t]*\{\|[^\n]*\n")
_WIKI_END = re.compile(r"\n[ \t]*\|\}")
_WIKI_CELL = re.compile(r"(?:(?<=\n)|\A)[ \t]*(?P<first>!|\|(?![-+}]))|(?P<more>!!|\|\|)|\n[ \t]*\|[-+][^\n]*")

_DOC_FENCE = re.compile(r"(?:\A|[\n\"'])[ \t]*\|={3,}[ \t]*\r?(?=[\n\"']|\Z)")
_DOC_CELL = re.compile(r"(?:(?<=[\s])|\A)(?:\d+(?:\.\d+)?[+*])?[<^>]?(?:\.[<^>])?[adehlms]?\|(?![=|])")

_LATEX_ROW_ENDS = re.compile(r"\\\\(?:\[[^\]\n]*\])?|\\tabularnewline\b")
_LATEX_CELL = re.compile(r"(?<!\\)&(?:amp;)*")  # in a page, where backslashes are as they were
_LATEX_ENDS = re.compile(r"\\end\{|\n[ \t]*\r?\n")
_LATEX_COMMAND = re.compile(r"\s*\\[A-Za-z]+\*?(?:\[[^\]\n]*\])?\s*\{?")


def may_be_in_a_document(text: str, line: Line) -> bool:
    """Return whether a line may be of the head of such a table; fast."""
    shown = text[line.start : line.end]
    return "|" in shown or "!" in shown or "&" in shown


def in_a_document(text: str, line: Line, name: Span, limit: int) -> Optional[Table]:
    """Return the table of a document in whose head the `name` of a secret is; None if there is none.

    `line` is the line around the name, or what of it is behind other text; the table ends before `limit`.
    """
    start, end = name
    limit = min(limit, line.end + _BLOCK_AT_MOST)
    if "||" in text[line.start : line.end] and _JIRA_HEAD.match(text, line.start, line.end):
        return _of_jira(text, line, limit)
    if text[line.start : start].lstrip()[:1] == "!":
        return _of_a_wiki(text, line, start, limit)
    if "&" in text[line.start : line.end]:
        return _of_latex(text, line, limit)
    return _of_asciidoc(text, start, end, limit) if "|" in text[line.start : start] else None


def _of_jira(text: str, line: Line, limit: int) -> Optional[Table]:
    names = [cell.strip() for cell in text[line.start : line.end].strip().strip("|").split("||")]
    if not all(map(is_head_cell, names)):
        return None
    found: List[Cell] = []
    at = line.end
    row = _JIRA_ROW.match(text, at, limit)
    while row is not None:
        found += _below(text, names, _between(text, _JIRA_BAR, *row.span("cells")))
        at = row.end()
        row = _JIRA_ROW.match(text, at, limit)
    return Table(found, line.end, at) if found else None


def _of_a_wiki(text: str, line: Line, start: int, limit: int) -> Optional[Table]:
    if text.rfind("{|", max(0, start - _ABOVE_AT_MOST), start) == -1 or text.find("|}", start, limit) == -1:
        return None
    begins = _last(_WIKI_BEGIN, text, max(0, line.start - _ABOVE_AT_MOST), start)
    ends = _WIKI_END.search(text, line.end, limit)
    if begins is None or ends is None:
        return None
    marks = [mark for mark in _WIKI_CELL.finditer(text, begins, ends.start()) if mark["first"] or mark["more"]]
    edges = [mark.start() for mark in _WIKI_CELL.finditer(text, begins, ends.start())]
    cells = [(mark.end(), _next(edges, mark.end(), ends.start())) for mark in marks]
    heads = [mark.group().strip().startswith("!") for mark in marks]
    count = heads.index(False) if False in heads else len(heads)
    return _in_order(text, cells, count, ends.start())


def _of_asciidoc(text: str, start: int, end: int, limit: int) -> Optional[Table]:
    if text.rfind("|===", max(0, start - _ABOVE_AT_MOST), start) == -1:
        return None
    begins = _last(_DOC_FENCE, text, max(0, start - _ABOVE_AT_MOST), start)
    if begins is None or _BLANK_LINE.search(text, text.find("|", begins), start):
        return None  # below the head
    ends = _DOC_FENCE.search(text, end, limit)
    if ends is None:
        return None
    marks = list(_DOC_CELL.finditer(text, begins, ends.start()))
    edges = [mark.start() for mark in marks]
    cells = [(mark.end(), _next(edges, mark.end(), ends.start())) for mark in marks]
    first = text.find("|", begins)
    blank = _BLANK_LINE.search(text, first, ends.start())
    head_end = blank.start() if blank is not None else text.find("\n", first, ends.start())
    if head_end < start:
        return None
    return _in_order(text, cells, sum(at < head_end for at in edges), ends.start())


def _of_latex(text: str, line: Line, limit: int) -> Optional[Table]:
    row_ends = _LATEX_ROW_ENDS.search(text, line.start, line.end)
    if row_ends is None:
        return None
    heads = _between(text, _LATEX_CELL, line.start, row_ends.start())
    names = [text[slice(*_without_commands(text, *cell))].strip() for cell in heads]
    if len(names) < 2 or not all(map(is_head_cell, names)):
        return None
    ends = _LATEX_ENDS.search(text, row_ends.end(), limit)
    limit = ends.start() if ends is not None else limit
    found: List[Cell] = []
    at = row_ends.end()
    row_ends = _LATEX_ROW_ENDS.search(text, at, limit)
    while row_ends is not None:
        cells = _between(text, _LATEX_CELL, at, row_ends.start())
        if len(cells) == len(names):
            found += _below(text, names, [_without_commands(text, *cell) for cell in cells])
        at = row_ends.end()
        row_ends = _LATEX_ROW_ENDS.search(text, at, limit)
    return Table(found, line.end, limit) if found else None


def _in_order(text: str, cells: List[Span], count: int, end: int) -> Optional[Table]:
    """Return the table of cells in order, of which the first `count` are the head."""
    names = [text[start:stop].strip() for start, stop in cells[:count]]
    if not names or not all(map(is_head_cell, names)):
        return None
    found: List[Cell] = []
    for at in range(count, len(cells), count):
        found += _below(text, names, cells[at : at + count])
    return Table(found, cells[count - 1][1], end) if found else None


def _below(text: str, names: List[str], cells: List[Span]) -> Iterator[Cell]:
    """Yield the cells of a row that are below the name of a secret, without the blanks around them."""
    for name, (start, end) in zip(names, cells):
        secret, value = secret_in(name), text[start:end]
        if secret and value.strip():
            yield Cell(secret, end - len(value.lstrip()), start + len(value.rstrip()))


def _between(text: str, sign: "re.Pattern[str]", start: int, end: int) -> List[Span]:
    edges = [found.span() for found in sign.finditer(text, start, end)]
    begins = [start, *(after for _, after in edges)]
    return list(zip(begins, [*(before for before, _ in edges), end]))


def _without_commands(text: str, start: int, end: int) -> Tuple[int, int]:
    """Return a span of LaTeX without the commands before its text and the braces that they open."""
    braces = 0
    command = _LATEX_COMMAND.match(text, start, end)
    while command is not None and command.end() > start:
        braces += command.group().endswith("{")
        start = command.end()
        command = _LATEX_COMMAND.match(text, start, end)
    while braces and text[start:end].rstrip().endswith("}"):
        end = start + len(text[start:end].rstrip()) - 1
        braces -= 1
    return start, end


def _last(pattern: "re.Pattern[str]", text: str, start: int, end: int) -> Optional[int]:
    """Return the end of the last match before a position; None without one."""
    found = None
    for match in pattern.finditer(text, start, end):
        found = match.end()
    return found


def _next(edges: List[int], at: int, end: int) -> int:
    """Return the first of some positions in order that is not before another, or the end."""
    number = bisect_left(edges, at)
    return edges[number] if number < len(edges) else end
