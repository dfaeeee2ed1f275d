"""Finds the table of plain text that the name of a secret is in, whatever its form. Standard library only.

The head may stand behind what a log, `print` or JSON puts before it, so that it begins within its line.
"""

from __future__ import annotations

from typing import Iterator, Optional, Tuple

from .own import own_builtins as __builtins__  # noqa: F401
from .own import re
from .secret_aligned import aligned, index_below, of_a_series
from .secret_documents import in_a_document, may_be_in_a_document
from .secret_sequences import rows_below
from .secret_tables import Line, Table, between_bars, line_at, separated

_BEFORE = frozenset("([{\n\r\t ,;|!\u2502\u2503\u2551\u2506\u254e\"'`*_.")
_AFTER = frozenset(")]}\n\r\t ,;|\u2502\u2503\u2551\u2506\u254e\"'`*_\\(")
_ENDS = {quote: re.compile(rf"(?<!\\){quote}(?=\s*[}}\])]|,\s|\Z)") for quote in "\"'"}
_BEGINS = re.compile(r"[\"'](?=[^\"']*\Z|\"|')|[:>\]](?=[^:]*\Z)")

_NO_HEAD = re.compile(r"[=!?<>{}$~^]|(?<![\w.-])\d")  # what is in no name of a column
_HAS_BARS = re.compile("[|\u2502\u2503\u2551\u2506\u254e]")
_AT_THE_START = "E>#*_`\"' \t"


def table_of(text: str, start: int, end: int) -> Tuple[Optional[Table], int]:
    """Return the table in whose head a name is, or what is beside it in a list, and the end of what was looked at."""
    if text[start - 1 : start] not in ("", *_BEFORE) or text[end : end + 1] not in ("", *_AFTER):
        return None, end
    rows = rows_below(text, start, end)
    if rows is not None:
        return rows, rows.end
    line = line_at(text, start)
    if line is None:
        ends = text.find("\n", end)
        return None, ends if ends != -1 else len(text)
    if may_be_in_a_document(text, line):
        for begins, limit in _beginnings(text, line, start):
            document = in_a_document(text, Line(begins, min(line.end, limit)), (start, end), limit)
            if document is not None:
                return document, max(line.end, document.end)
    if text[start - 6 : start] == "Name: ":
        return of_a_series(text, line, (start, end)), line.end
    if text.find("\n", end) == -1 and " " not in text[line.start : line.end]:
        return None, line.end
    if _NO_HEAD.search(text, end, line.end) and not text[line.start : start].strip(_AT_THE_START):
        return _in_a_list(text, line), line.end
    if _NO_HEAD.search(text, end, line.end) and not _HAS_BARS.search(text, line.start, line.end):
        return None, line.end
    for begins, limit in _beginnings(text, line, start):
        shown = Line(begins, min(line.end, limit))
        if shown.end > begins:
            found = between_bars(text, shown, limit) or separated(text, shown, limit) or aligned(text, shown, limit)
            found = found or index_below(text, shown, limit)
            if found is not None:
                return found, max(line.end, found.end)
    return None, line.end


def _in_a_list(text: str, line: Line) -> Optional[Table]:
    """Return the value beside a name that begins a line."""
    return between_bars(text, line, len(text)) or aligned(text, line, len(text))


def _beginnings(text: str, line: Line, start: int) -> Iterator[Tuple[int, int]]:
    """Yield where a head may begin and where its table ends: at the line's start, after a quote, after a colon."""
    yield line.start, len(text)
    limit = len(text)
    for before in _BEGINS.finditer(text, line.start, start):
        ends = _ENDS.get(before.group())
        if ends is not None:
            end = ends.search(text, start)
            if end is None:
                continue
            limit = end.start()
        yield before.end(), limit
        if ends is None and text[before.end()] == " ":
            yield before.end() + 1, limit
