"""Links each word of the glossary where a notebook first uses it; `--check` only reports what is not linked.

    python tools/glossary.py [--check]

The glossary is notebooks/glossary.md, with a heading for each word. What counts is a notebook's running text: Markdown
cells without headings, code, links and solutions, and without the answer at the top, which students open last.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
GLOSSARY = NOTEBOOKS / "glossary.md"
_LINK = re.compile(rf"\[([^\]]+)\]\({re.escape(GLOSSARY.name)}#([^)\s]+)\)")
_NO_TEXT = re.compile(
    r"""^```.*?^``` | `[^`]*` | ^\#.*?$ | ^\*\*Answer\.\*\*.*?(?=\n\s*\n|\Z) | \[[^\]]*\]\([^)]*\) | <[^>]*>""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Use:
    """A place in the text of a notebook: the number of its cell, and where in it."""

    cell: int
    start: int
    end: int


def entries(text: str) -> list[str]:
    """The words that a glossary has an entry for, in its order."""
    return re.findall(r"^## (.+)$", text, flags=re.MULTILINE)


def anchor(word: str) -> str:
    """The anchor of a word's heading: the same in JupyterLab, on GitHub and on the site."""
    return word.replace(" ", "-")


def first_uses(cells: Iterable[tuple[int, str]], words: Iterable[str]) -> dict[str, Use]:
    """Where each word is first used in the running text; a longer word hides the shorter ones in it."""
    found: dict[str, Use] = {}
    for number, source in cells:
        text = _NO_TEXT.sub(lambda match: re.sub(r"\S", "\0", match[0]), source)
        for word in sorted(words, key=len, reverse=True):
            for match in list(_pattern(word).finditer(text)):
                found.setdefault(word, Use(number, *match.span()))
                text = text[: match.start()] + "\0" * len(match[0]) + text[match.end() :]
    return found


def links(cells: Iterable[tuple[int, str]]) -> Iterator[tuple[str, str, Use]]:
    """Yield each link to the glossary: its anchor, its text, its place."""
    for number, source in cells:
        for match in _LINK.finditer(source):
            yield match[2], match[1], Use(number, *match.span())


def faults(nb: dict[str, Any], words: list[str]) -> list[str]:
    """What is wrong with the links of a notebook to the glossary, in sentences."""
    by_anchor = {anchor(word): word for word in words}
    said = []
    linked: dict[str, Use] = {}
    for to, text, use in links(_texts(nb)):
        if to not in by_anchor:
            said.append(f"{text!r} is linked to {to}, which has no entry")
        elif by_anchor[to] in linked:
            said.append(f"{by_anchor[to]!r} is linked twice")
        else:
            linked[by_anchor[to]] = use
    for word, use in first_uses(_texts(nb), words).items():
        if word not in linked:
            said.append(f"{word!r} is not linked")
        elif (use.cell, use.start) < (linked[word].cell, linked[word].start):
            said.append(f"{word!r} is used before its link")
    return said


def link(nb: dict[str, Any], words: list[str]) -> None:
    """Link the words of a notebook in place, each at its first use; links with another text than their word stay."""
    by_anchor = {anchor(word): word for word in words}
    for cell in nb["cells"]:
        if cell["cell_type"] == "markdown":
            _set(cell, _LINK.sub(lambda match: match[1] if _is_the_word(match, by_anchor) else match[0], _text(cell)))
    by_hand = {by_anchor.get(to) for to, _, _ in links(_texts(nb))}
    uses = {word: use for word, use in first_uses(_texts(nb), words).items() if word not in by_hand}
    for word, use in sorted(uses.items(), key=lambda one: (one[1].cell, one[1].start), reverse=True):
        cell = nb["cells"][use.cell]
        text = _text(cell)
        shown = text[use.start : use.end]
        _set(cell, f"{text[: use.start]}[{shown}]({GLOSSARY.name}#{anchor(word)}){text[use.end :]}")


def _is_the_word(match: re.Match[str], by_anchor: dict[str, str]) -> bool:
    word = by_anchor.get(match[2])
    return word is not None and _pattern(word).fullmatch(match[1]) is not None


def _pattern(word: str) -> re.Pattern[str]:
    spaced = r"\s+".join(map(re.escape, word.split(" ")))
    return re.compile(rf"(?<![\w-]){spaced}(?:s|es)?(?![\w-])", re.IGNORECASE)


def _texts(nb: dict[str, Any]) -> list[tuple[int, str]]:
    return [
        (number, _text(cell)) for number, cell in enumerate(nb["cells"])
        if cell["cell_type"] == "markdown" and "solution" not in cell["metadata"].get("tags", [])
    ]


def _text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _set(cell: dict[str, Any], text: str) -> None:
    cell["source"] = text.splitlines(keepends=True)


def main() -> int:
    """Link the words in all notebooks, or report what is not linked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing, and report what is not linked")
    check = parser.parse_args().check
    words = entries(GLOSSARY.read_text("utf-8"))
    said = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        nb = json.loads(path.read_text("utf-8"))
        if not check:
            link(nb, words)
            path.write_text(json.dumps(nb, indent=1, ensure_ascii=False) + "\n", "utf-8")
        said += [f"{path.name}: {fault}" for fault in faults(nb, words)]
    print("\n".join(said) or "Each word is linked where it is first used.")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
