"""A text with tags of HTML, as a browser shows it: each part's place in the text, and tables. Standard library only.

A secret may have tags around it, or between it and what shows that it is one: `<b>password</b>=<code>...</code>`, the
next cell of a row, a column below its head, the value of an attribute. Words in pointed brackets that are no tags of
HTML, such as `<class 'str'>`, are text.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from .own import functools, re
from .own import own_builtins as __builtins__  # noqa: F401
from .secret_names import names_a_secret, words

Span = Tuple[int, int]

_TAG = re.compile(  # quotes may contain any sign; they are counted, so that a flood of them costs little
    r"<(?P<closes>/?)(?P<name>[A-Za-z][A-Za-z0-9]{0,11})(?=[\s/>])"
    r"(?P<attributes>(?:[^<>\"']*(?:\"[^\"]*\"|'[^']*')){0,100}[^<>\"']*)>"
)
_QUOTED = re.compile(r"\"[^\"]+\"|'[^']+'")
_WITHIN_A_LINE = words(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr output q s samp small span "
    "strike strong sub sup time tspan tt u var wbr"
)
_A_LINE = words(
    "address area article aside audio blockquote body br button canvas caption center col colgroup dd details dialog "
    "div dl dt embed fieldset figcaption figure footer form frame g h1 h2 h3 h4 h5 h6 head header hr html iframe img "
    "input legend li link main map menu meta nav noscript object ol optgroup option p param path picture pre progress "
    "script section select source style summary svg table tbody td template text textarea tfoot th thead title tr "
    "track ul video"
)
TAGS = "|".join(sorted(_WITHIN_A_LINE | _A_LINE, key=len, reverse=True))
_A_NAME = re.compile(
    r"[\"'`]?(?P<words>(?:\w+ ){0,2})-{0,2}(?:\w[\w-]*\.)*(?P<name>\w[\w-]*)[\"'`]?"
    r"(?: is| for (?:user )?\S+?)?\s?(?::|=|=>|->)?\Z"
)
_OF_SENTENCES = words(
    "a an and change class def except for forgot from if import in invalid is missing new no not of or pass raise "
    "reset return select set that the this to unset without wrong"
)
_NAME_AT_MOST = 100  # characters
_CELLS = words("td th dt dd")
_ENDS_OF_CELLS = words("tr table dl thead tbody tfoot")
_HEAD = re.compile(r"[A-Za-z][A-Za-z_ .-]*\Z")
_COLSPAN = re.compile(r"(?i)\bcolspan\s*=\s*[\"']?(\d{1,2})")


class Tag(NamedTuple):
    """A tag of HTML, its name in small letters, and where its attributes are."""

    start: int
    end: int
    name: str
    closes: bool
    attributes: Span


class Page:
    """A text without its tags, then the values of their attributes, a line each."""

    __slots__ = ("_parts", "shown")

    def __init__(self, text: str, tags: List[Tag]) -> None:
        pieces: List[str] = []
        self._parts: List[Tuple[int, int, int]] = []  # the start and end in what is shown, and the start in the text
        length = 0
        for start, end, after in _parts_of(text, tags):
            pieces += (text[start:end], after)
            self._parts.append((length, length + end - start, start))
            length += end - start + len(after)
        self.shown = "".join(pieces)

    def back(self, start: int, end: int) -> Iterator[Span]:
        """Yield where a part of what is shown is in the text, without the tags within it."""
        for number in range(max(0, bisect_right(self._parts, (start + 1,)) - 1), len(self._parts)):
            begins, ends, place = self._parts[number]
            if begins >= end:
                return
            if start < ends:
                yield place + max(start, begins) - begins, place + min(end, ends) - begins


def tags_in(text: str) -> List[Tag]:
    """Return the tags of HTML in a text."""
    if "<" not in text:
        return []
    found = []
    for match in _TAG.finditer(text):
        name = match["name"].lower()
        if name in _WITHIN_A_LINE or name in _A_LINE:
            found.append(Tag(match.start(), match.end(), name, bool(match["closes"]), match.span("attributes")))
    return found


def _parts_of(text: str, tags: List[Tag]) -> Iterator[Tuple[int, int, str]]:
    """Yield the start and end of each part that is shown, and what is between it and the next."""
    at, before = 0, ""
    for tag in tags:
        after = "" if tag.name in _WITHIN_A_LINE else "\n"
        if not (before and after) or text[at : tag.start].strip():
            yield at, tag.start, after
        at, before = tag.end, after
    yield at, len(text), "\n"
    for tag in tags:
        for value in _QUOTED.finditer(text, *tag.attributes):
            yield value.start() + 1, value.end() - 1, "\n"


# --- values beside or below their names ------------------------------------------------------------------------------


class Named(NamedTuple):
    """The places of what may be a secret, by the name that is before or above it."""

    name: str
    places: List[Span]
    in_a_table: bool


class _Cell:
    __slots__ = ("ends", "is_head", "places", "starts")

    def __init__(self, text: str, tag: Tag, row: List["_Cell"]) -> None:
        self.is_head = tag.name == "th"
        self.starts: int = row[-1].ends if row else 0  # columns, of which a cell may take several
        spanned = _COLSPAN.search(text, *tag.attributes)
        self.ends: int = self.starts + (int(spanned[1]) if spanned is not None else 1)
        self.places: List[Span] = []


def named_in(text: str, tags: List[Tag]) -> Iterator[Named]:
    """Yield what is in the cell after the name of a secret, or in those below it, or else between the next tags."""
    for table in _tables(text, tags):
        yield from _in_a_table(text, table)
    before, at = "", 0
    for tag in tags:
        here = _trimmed(text, at, tag.start)
        if here is not None:
            if before:
                yield Named(before, [here], False)
            before = _the_name(text, [here])
        at = tag.end
        if not tag.closes and tag.name in _CELLS:
            before = ""


def _tables(text: str, tags: List[Tag]) -> Iterator[List[List[_Cell]]]:
    """Yield the rows of each table or list of definitions, in one of which a term begins a row."""
    rows: List[List[_Cell]] = [[]]
    cell: Optional[_Cell] = None
    at = 0
    for tag in tags:
        here = _trimmed(text, at, tag.start) if cell is not None else None
        at, name = tag.end, tag.name
        if here is not None and cell is not None:
            cell.places.append(here)
        if name in _CELLS or name in _ENDS_OF_CELLS:
            cell = None
        if rows[-1] and (name in ("tr", "table", "dl") or (name == "dt" and not tag.closes)):
            rows.append([])
        if name in ("table", "dl"):
            yield rows
            rows = [[]]
        if name in _CELLS and not tag.closes:
            cell = _Cell(text, tag, rows[-1])
            rows[-1].append(cell)
    yield rows


def _in_a_table(text: str, rows: List[List[_Cell]]) -> Iterator[Named]:
    heads: Dict[int, str] = {}
    was_head = False
    for row in rows:
        named = [_the_name(text, cell.places) for cell in row]
        marked = all(cell.is_head for cell in row)
        if marked or (row is rows[0] and any(named) and _may_be_a_head(text, row, named)):
            heads = heads if was_head else {}
            for cell, name in zip(row, named):
                heads.update(dict.fromkeys(range(cell.starts, cell.ends) if name else (), name))
        was_head = marked
        if marked:
            continue
        before, is_head = "", False
        for cell, name in zip(row, named):
            if before:
                yield Named(before, cell.places, True)
            if cell.starts in heads:
                yield Named(heads[cell.starts], cell.places, True)
            if name or not is_head:
                before, is_head = name, cell.is_head and bool(name)


def _may_be_a_head(text: str, row: List[_Cell], named: List[str]) -> bool:
    """Return whether a first row that is not marked as one names columns; of two cells, the first names the other."""
    texts = ["".join(text[start:end] for start, end in cell.places) for cell in row]
    return (len(row) > 2 or bool(named[-1])) and all(map(_HEAD.match, texts))


def _the_name(text: str, places: List[Span]) -> str:
    """Return the name of a secret that is all of a cell, or the empty text."""
    if not places or sum(end - start for start, end in places) > _NAME_AT_MOST:
        return ""
    return name_in("".join(text[start:end] for start, end in places))


@functools.lru_cache(maxsize=4096)
def name_in(text: str) -> str:
    """Return the name of a secret that is all of a text, but for a word or two before it; or the empty text."""
    found = _A_NAME.match(text)
    if found is None or not names_a_secret(found["name"]) or words(found["words"].lower()) & _OF_SENTENCES:
        return ""
    return found["name"]


def _trimmed(text: str, start: int, end: int) -> Optional[Span]:
    inner = text[start:end]
    without = inner.lstrip()
    if not without:
        return None
    return end - len(without), start + len(inner.rstrip())
