"""Which lines of a Makefile, a justfile or a tox configuration does a command run? Pure.

Such a file has parts that one command runs and another does not: a target, a recipe, a test environment. What no part
says holds for all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

Line = tuple[int, str]  # its number, from 1, and its text

_TARGET = re.compile(r"^(?P<names>[^\s:=#][^:=#]*?)\s*:(?!:?=):?(?P<needs>[^=#]*)")
_RECIPE = re.compile(r"^@?(?P<names>[\w-]+)(?:\s+[^:]*)?:(?!=)(?P<needs>[^#]*)")
_ENVIRONMENT = re.compile(r"^\[(?:testenv:(?P<names>[^\]]+)|[^\]]+)\]")
_RUNS_ANOTHER = re.compile(r"\b(?:make|MAKE|just)\b")


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a file: its names, the words that it needs others by, and its lines."""

    names: tuple[str, ...]
    needs: tuple[str, ...]
    lines: tuple[Line, ...]


def executed(file: str, text: str, words: Collection[str]) -> list[Line]:
    """The lines of a file that a command of these words runs; all of them where that cannot be told."""
    name = os.path.basename(file).lower()
    lines = list(enumerate(text.splitlines(), 1))
    if name.endswith("makefile"):
        return _run(lines, list(_parts(lines, _TARGET, "\t")), words)
    if name.endswith("justfile"):
        return _run(lines, list(_parts(lines, _RECIPE, " \t")), words)
    if name == "tox.ini":
        asked = {one for word in words for one in re.split(r"[,=]", word.removeprefix("-e")) if one}
        return _without_others(lines, asked)
    return lines


def _parts(lines: Sequence[Line], header: re.Pattern[str], indents: str) -> Iterator[_Part]:
    """The targets or recipes of a file, each with its header and the indented lines below it."""
    part: _Part | None = None
    for number, line in lines:
        found = header.match(line)
        if found is not None:
            if part is not None:
                yield part
            part = _Part(tuple(found["names"].split()), tuple(found["needs"].split()), ((number, line),))
        elif part is not None and (not line.strip() or line[0] in indents):
            part = _Part(part.names, part.needs, (*part.lines, (number, line)))
        elif part is not None:
            yield part
            part = None
    if part is not None:
        yield part


def _run(lines: list[Line], parts: list[_Part], words: Collection[str]) -> list[Line]:
    """The lines without those of parts that are neither asked for nor needed by one that is."""
    known = {name: [part for part in parts if name in part.names] for part in parts for name in part.names}
    first = next((name for name in known if not name.startswith(".")), "")
    left = [word for word in words if word in known] or [first]
    run: set[str] = set()
    while left:
        name = left.pop()
        if name in run:
            continue
        run.add(name)
        for part in known.get(name, ()):
            if any("$" in need or "%" in need for need in part.needs):
                return lines
            inner = [word for _, line in part.lines if _RUNS_ANOTHER.search(line) for word in line.split()]
            left += [need for need in (*part.needs, *inner) if need in known]
    others = {number for part in parts if run.isdisjoint(part.names) for number, _ in part.lines}
    return [line for line in lines if line[0] not in others]


def _without_others(lines: list[Line], asked: Collection[str]) -> list[Line]:
    """The lines without those of test environments that are not asked for, if any are asked for by name."""
    left, name = [], None
    named = {found["names"] for _, line in lines if (found := _ENVIRONMENT.match(line)) is not None}
    for number, line in lines:
        found = _ENVIRONMENT.match(line)
        name = found["names"] if found is not None else name
        if name is None or name in asked or named.isdisjoint(asked):
            left.append((number, line))
    return left
