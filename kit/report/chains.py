"""Drawings of boxes that lead to one another, from left to right: for a notebook, with the same content in words. Pure.

The evidence decides what is in them: the modules `ways`, `apps`, `holders` and `work` make the boxes of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kit.evidence.model import Callable, Evidence, Frame
from kit.report.drawing import Drawing, macro
from kit.report.panel import LETTERS_AT_MOST, code_line, place_of
from kit.report.printable import shortened
from kit.report.steps import SERVERS
from kit.report.timeline import specimen_code

CHAINS_AT_MOST = 40
# Of a column of boxes, in em: a letter of a text, of a server, a label, a place and a link; a frame, an arrow, a box.
_LETTER_EM, _CAPITAL_EM, _SERVER_EM, _LABEL_EM, _PLACE_EM, _LINK_EM = 0.55, 0.63, 0.66, 0.46, 0.52, 0.62
_FRAME_EM, _ARROW_EM, _BOX_EM = 1.3, 2.7, 20.0
_ROW_LETTERS, _LABEL_LETTERS = 80, 20  # of the texts of a row, if each is one line; of a label


@dataclass(frozen=True, slots=True)
class Box:
    """A box: what it is (`label`), its text, its place (file:line) with the source code there, and the boxes inside it.

    `side` is the server that it is about, None for none. `link` are the words on the arrow that leads to it; `broken`
    means that what comes before does not lead to it, so that the arrow is crossed out.
    """

    label: str
    text: str
    place: str = ""
    code: str = ""
    side: str | None = None
    link: str = ""
    broken: bool = False
    inside: tuple[Box, ...] = ()


Chain = tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """The chains of one run, under its name."""

    name: str
    chains: tuple[Chain, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """The width of the boxes that stand below each other with the arrow before them, and of the arrow, in em."""

    width: float
    arrow: float


def chains_drawing(title: str, note: str, scenes: Sequence[Scene]) -> Drawing:
    """Draw scenes one below the other. `title` says what is seen, `note` what the boxes and arrows mean."""
    kept = [Scene(scene.name, _fewer(scene.chains)) for scene in scenes]
    words = "\n".join("\n  ".join([f"{scene.name}.", *map(in_words, scene.chains)]) for scene in kept)
    columns = aligned([chain for scene in kept for chain in scene.chains])
    return Drawing(title, words, str(macro("chains.html", "figure")(title, note, kept, columns)).strip())


def aligned(chains: Sequence[Chain]) -> tuple[Column, ...]:
    """The columns in which boxes of one place stand below each other; none where chains differ in length."""
    if len({len(chain) for chain in chains}) != 1:
        return ()
    line = _ROW_LETTERS // max(len(chains[0]), 1)
    return tuple(_column(boxes, line, first=not number) for number, boxes in enumerate(zip(*chains, strict=True)))


def in_words(chain: Chain) -> str:
    """A chain as one line of text: its boxes, and between them what the arrows say."""
    said = []
    for number, box in enumerate(chain):
        arrow = "" if not number else " ✘ " if box.broken else " → "
        said.append(f"{arrow}{f'({box.link}) ' if box.link else ''}{_box_in_words(box)}")
    return "".join(said)


def box_at(
    label: str, text: str, evidence: Evidence, where: Frame | None, *, link: str = "", broken: bool = False
) -> Box:
    """A box with its place and the line of the specimen's code there."""
    code = code_line(specimen_code(evidence, where))
    return Box(label, shortened(text, LETTERS_AT_MOST), place_of(where), code, link=link, broken=broken)


def server_box(side: str | None, how: str = "") -> Box:
    """The box at the end of a chain: the server that answered."""
    server = SERVERS.get(side or "", "an unknown server")
    return Box("answered by", f"{server}{f', {how}' if how else ''}", side=side)


def defined_at(known: Callable | None) -> Frame | None:
    """Where a callable is defined."""
    return Frame(known.file, known.line, known.name) if known and known.file and known.line else None


def short_name(known: Callable | None) -> str:
    """The name of a callable without the module that defines it."""
    return known.name.rpartition(".")[2] if known is not None else "an unknown callable"


def _column(boxes: Sequence[Box], line: int, *, first: bool) -> Column:
    longest_word = max((len(word) for box in boxes for word in box.link.split()), default=0)
    arrow = 0.0 if first else round(max(_ARROW_EM, _LINK_EM * longest_word), 1)
    return Column(round(arrow + max(_box_em(box, line) for box in boxes), 1), arrow)


def _box_em(box: Box, line: int) -> float:
    """The width that a box needs: that of its longest word, of so many letters of text, of its label or its place."""
    text_em = max(map(_word_em, [box.text[:line], *box.text.split()]))
    if box.side is not None:
        text_em = _SERVER_EM * (len(box.text) + 2)  # with its mark
    wide_em = max(text_em, _LABEL_EM * min(len(box.label), _LABEL_LETTERS), _PLACE_EM * len(box.place))
    return min(_BOX_EM, max([wide_em + _FRAME_EM, *(_box_em(one, line) + _FRAME_EM for one in box.inside)]))


def _word_em(text: str) -> float:
    return sum(_LETTER_EM if letter.islower() or letter == " " else _CAPITAL_EM for letter in text)


def _box_in_words(box: Box) -> str:
    place = f" at {box.place}" if box.place else ""
    inside = f" [{'; '.join(map(_box_in_words, box.inside))}]" if box.inside else ""
    return f"{box.label}: {box.text}{place}{inside}"


def _fewer(chains: tuple[Chain, ...]) -> tuple[Chain, ...]:
    if len(chains) <= CHAINS_AT_MOST:
        return chains
    return (*chains[:CHAINS_AT_MOST], (Box("not shown", f"{len(chains) - CHAINS_AT_MOST:,} more"),))
