"""What a notebook says first: its question, which is its title, and the beginning of its answer, in Markdown. Pure."""

from __future__ import annotations

import re
from typing import Any

ANSWER_AT_MOST = 220  # characters
_MARKS = re.compile(r"\*\*|[*`]|\[([^]]+)\]\([^)]*\)")


def question(nb: Any) -> str:
    """The first title; empty if there is none."""
    return _first(nb).partition("\n")[0].removeprefix("# ")


def answer(nb: Any) -> str:
    """Whole sentences from the beginning of the answer, up to ANSWER_AT_MOST characters; empty if there is none."""
    given = " ".join(_first(nb).partition("**Answer.**")[2].partition("\n\n")[0].split())
    sentences = re.split(r"(?<=[.:]) (?=[A-Z])", given)
    taken = sentences[0]
    for sentence in sentences[1:]:
        if len(taken) + len(sentence) > ANSWER_AT_MOST:
            break
        taken = f"{taken} {sentence}"
    return taken


def plain(text: str) -> str:
    """The text of a line of Markdown, without emphasis, code and links."""
    return _MARKS.sub(lambda found: found[1] or "", text)


def _first(nb: Any) -> str:
    """The first Markdown cell that begins with a title."""
    titled = (cell.source for cell in nb.cells if cell.cell_type == "markdown" and cell.source.startswith("# "))
    return str(next(titled, ""))
