"""The kinds of finding in words: one kind for a terminal, a list of all, and docs/findings.md. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from kit.detectors.kind import Kind, Without

WIDTH = 100  # columns
_PARTS = (
    ("What it is", "what"),
    ("How it happens", "comes_about"),
    ("Example", "example"),
    ("How it is proved", "proved"),
    ("What to do", "to_do"),
)


def explained(kind: Kind[Any], width: int = WIDTH) -> str:
    """One kind in lines of at most `width` columns; lines of its example are not wrapped."""
    return "\n".join(line.rstrip() for line in _explained(kind, width)) + "\n"


def _explained(kind: Kind[Any], width: int) -> Iterator[str]:
    yield from (kind.name, "=" * len(kind.name), *textwrap.wrap(f"{kind.title}: {kind.strength.value}.", width))
    for title, part in _PARTS:
        yield from ("", title, "-" * len(title))
        if part == "example":
            yield from (f"    {line}" for line in example_of(kind).splitlines())
        else:
            yield from textwrap.wrap(_text_of(kind, part), width, break_long_words=False, break_on_hyphens=False)


def example_of(kind: Kind[Any]) -> str:
    """The example of a kind, dedented."""
    return textwrap.dedent(kind.explains.example).strip("\n").rstrip()


def _text_of(kind: Kind[Any], part: str) -> str:
    text = str(getattr(kind.explains, part))
    if part == "proved" and isinstance(kind.interventions, Without):
        return f"{text} No intervention of its own: {kind.interventions.reason}."
    return text


def listed(kinds: Sequence[Kind[Any]]) -> str:
    """All kinds, one per line, in reporting order."""
    width = max(len(kind.name) for kind in kinds)
    lines = [f"{kind.name:<{width}}  {kind.title}" for kind in kinds]
    return "\n".join([*lines, "", "kit explain KIND shows what it is, how it happens, and what to do."]) + "\n"


def document(kinds: Sequence[Kind[Any]]) -> str:
    """The document about all kinds (docs/findings.md), in Markdown."""
    return "\n".join(line.rstrip() for line in _document(kinds)) + "\n"


def _document(kinds: Sequence[Kind[Any]]) -> Iterator[str]:
    yield "# Findings"
    yield ""
    yield from textwrap.wrap(
        "Every kind of finding, in the order in which they are reported. `kit explain KIND` shows one of them. This "
        "page "
        "is written by `tools/findings_page.py` out of `kit/detectors/registry.py`; "
        "[adding-a-kind.md](adding-a-kind.md) says how to add one.",
        120,
        break_on_hyphens=False,
    )
    yield from ("", "| kind | what it is | it tells |", "| --- | --- | --- |")
    for kind in kinds:
        yield f"| [{kind.name}](#{kind.name}) | {kind.title} | {kind.strength.value} |"
    for kind in kinds:
        yield from ("", f"## {kind.name}", "", f"**{kind.title}.** {kind.explains.what}")
        yield from ("", f"*How it happens.* {kind.explains.comes_about}")
        language = "console" if example_of(kind).startswith("$") else "python"
        yield from ("", f"```{language}", *example_of(kind).splitlines(), "```")
        yield from ("", f"*How it is proved.* {_text_of(kind, 'proved')}")
        yield from ("", f"*What to do.* {kind.explains.to_do}")
