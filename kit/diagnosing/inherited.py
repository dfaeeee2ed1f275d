"""Find the line of a script or settings file that set an inherited variable, or that started a process. Pure.

Files that the command itself runs are searched first: its scripts, files that they source, and the Makefile, tox.ini or
noxfile that it names. The last such line is certain, because it is executed. Lines in other files are only possible
sources of the shell's environment.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

TextOf = Callable[[str], str | None]
_DEEPEST = 5  # nesting of scripts that source scripts
_RUN_BY: dict[str, tuple[str, ...]] = {
    "make": ("Makefile", "makefile", "GNUmakefile"), "gmake": ("Makefile", "makefile", "GNUmakefile"),
    "tox": ("tox.ini", "pyproject.toml", "setup.cfg"), "nox": ("noxfile.py",),
    "docker-compose": ("docker-compose.yml", "compose.yaml"),
}  # fmt: skip
_BESIDE = (
    ".envrc", "Makefile", "tox.ini", "noxfile.py", "pyproject.toml", "docker-compose.yml", "docker-compose.yaml",
    "compose.yml", "compose.yaml", "Dockerfile", ".gitlab-ci.yml",
)  # fmt: skip
_SOURCED = re.compile(r"^\s*(?:\.|source)\s+(?P<file>[^\s;&|]+)")


@dataclass(frozen=True, slots=True)
class Written:
    """A line that sets a variable. `sure` is True when the command executes it; `verb` is how it sets it."""

    file: str
    line: int
    verb: str
    sure: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def writers(name: str, command: Sequence[str], given: bool, text_of: TextOf, files: Iterable[str]) -> list[Written]:
    """The lines that set a variable: the last one that the command executes, else all possible ones.

    `given` is whether the variable was in the command's environment. `files` are project files that may set variables:
    .env*, CI workflows, and the like.
    """
    sure = [one for file in _run(command, text_of) for one in _lines(name, file, text_of, True)]
    if sure:
        return sure[-1:]
    if not given:
        return []
    return [one for file in dict.fromkeys((*files, *_BESIDE)) for one in _lines(name, file, text_of, False)]


def line_that_starts(argv: Sequence[str], command: Sequence[str], text_of: TextOf) -> str:
    """The line of the command's scripts that starts a Python with these arguments, as FILE:LINE; "" for none."""
    named = next((word for word in argv if word and not word.startswith("-")), "")
    program = os.path.basename(named)
    for file in _run(command, text_of) if program else ():
        for number, line in enumerate((text_of(file) or "").splitlines(), 1):
            words = [os.path.basename(word) for word in re.split(r"[\s;&|\"']+", line)]
            if program in words and not line.lstrip().startswith("#"):
                return f"{file}:{number}"
    return ""


def _run(command: Sequence[str], text_of: TextOf) -> Iterator[str]:
    """The files that a command runs, each after the files that it sources, because those run first."""
    for word in _words(command):
        program = os.path.basename(word)
        for file in _RUN_BY.get(program, ()):
            yield from _with_sourced(file, text_of, 0)
        if not word.startswith("-") and not word.endswith(".py"):
            yield from _with_sourced(word, text_of, 0)


def _words(command: Sequence[str]) -> Iterator[str]:
    """The words of a command; those that are a command line (sh -c "...") are also split."""
    for word in command:
        yield word
        if " " in word:
            try:
                yield from shlex.split(word)
            except ValueError:  # not a command line
                continue


def _with_sourced(file: str, text_of: TextOf, depth: int) -> Iterator[str]:
    file = os.path.normpath(file)
    text = text_of(file)
    if text is None or depth > _DEEPEST:
        return
    for line in text.splitlines():
        sourced = _SOURCED.match(line)
        if sourced is not None:
            named = sourced["file"].strip("\"'").removeprefix("./")
            for place in dict.fromkeys((named, os.path.join(os.path.dirname(file), named))):
                yield from _with_sourced(place, text_of, depth + 1)
    yield file


def _lines(name: str, file: str, text_of: TextOf, sure: bool) -> Iterator[Written]:
    text = text_of(file)
    for number, line in enumerate((text or "").splitlines(), 1):
        verb = _verb(name, line, file)
        if verb:
            yield Written(file, number, verb, sure)


def _verb(name: str, line: str, file: str) -> str:
    """How a line sets a variable ("sets" or "exports"); "" when it does not."""
    bare = line.strip()
    if bare.startswith("#"):
        return ""
    word = re.escape(name)
    if re.search(rf"\b(?:export|declare -x)\s+(?:[\w]+=\S*\s+)*{word}\s*[:?+]?=", bare):
        return "exports"
    if re.match(rf"(?:[A-Z]\w*=\S*\s+)*{word}\s*[:?]?=(?!=)", bare) or re.search(rf"[;&]\s*{word}=", bare):
        return "sets"
    if os.path.basename(file).startswith("Dockerfile") and re.match(rf"(?i)ENV\s+(?:.*\s)?{word}[\s=]", bare):
        return "sets"
    if file.endswith((".yml", ".yaml")) and re.match(rf"(?:-\s*)?[\"']?{word}[\"']?\s*[:=]", bare):
        return "sets"
    if file.endswith((".py", ".toml", ".cfg", ".ini")) and re.search(rf"(?<![\w]){word}[\"']?\]?\s*[:=]", bare):
        return "sets"
    return ""
