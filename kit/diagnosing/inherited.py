"""Find the line of a script or settings file that set an inherited variable, or that started a process. Pure.

Files that the command itself runs are searched first: its scripts, what they source or read into the environment, and
the Makefile, tox.ini or noxfile that it names. The last such line is certain, because it is executed. Lines in other
files are only possible sources of the shell's environment.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from kit.detectors.words import Written
from kit.diagnosing.recipes import Line, executed

TextOf = Callable[[str], str | None]
_DEEPEST = 5  # nesting of scripts that source scripts
_RUN_BY: dict[str, tuple[str, ...]] = {
    "make": ("Makefile", "makefile", "GNUmakefile"), "gmake": ("Makefile", "makefile", "GNUmakefile"),
    "tox": ("tox.ini", "pyproject.toml", "setup.cfg"), "nox": ("noxfile.py",),
    "docker-compose": ("docker-compose.yml", "compose.yaml"), "just": ("justfile", "Justfile", ".justfile"),
    "task": ("Taskfile.yml", "Taskfile.yaml"), "pdm": ("pyproject.toml",), "poe": ("pyproject.toml",),
    "pipenv": (".env",), "honcho": (".env",), "dotenv": (".env",),
}  # fmt: skip
_BESIDE = (
    ".envrc", "Makefile", "tox.ini", "noxfile.py", "pyproject.toml", "docker-compose.yml", "docker-compose.yaml",
    "compose.yml", "compose.yaml", "Dockerfile", ".gitlab-ci.yml",
)  # fmt: skip
_OF_TESTS = ("pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml")
_READING = (  # how a line reads a file into the environment
    re.compile(r"(?:^|[;&|({@])\s*(?:\.|source)\s+(?P<file>[^\s;&|)]+)"),
    re.compile(r"\b(?:export|env)\b.*(?:\$\(|`)[^)`]*?(?P<file>[\w./-]*\.env\b[\w.-]*)"),
    re.compile(r"--env-file[=\s]\s*(?P<file>[^\s;&|]+)"),
    re.compile(r"\bdotenv\s+(?:-f|-e|--file)[=\s]\s*(?P<file>[^\s;&|]+)"),
    re.compile(r"\b(?:env_?file|dotenv)\s*[:=]\s*\[?\s*(?P<file>[\w./\"'-]+)"),
    re.compile(r"(?:^|=)\s*file\s*\|\s*(?P<file>[^\s;&|]+)"),
)
_WRITTEN_OUT = r"""(?P<quote>["']?)(?P<value>[^\s"'`$%{}()<>\\,;]+)(?P=quote)(?=\s|[,;)}\]]|$)"""
_INCLUDED = re.compile(r"^[-s]?include\s+(?P<file>\S+)")  # of make
_DOTENV_LOAD = re.compile(r"^set\s+dotenv-load(?!\s*:=\s*false)")  # of just


def writers(
    name: str, command: Sequence[str], given: str | None, text_of: TextOf, files: Iterable[str]
) -> list[Written]:
    """The lines that set a variable: the last one that the command executes, else all that may have set it.

    `given` is its value in the command's environment, None without one: a line that gives another value did not set it.
    `files` are project files that may set variables: .env*, CI workflows, and the like.
    """
    sure = [Written(one.file, number, verb, True, one.through)
            for one in _run(command, text_of) for number, verb in _lines(name, one.file, one.lines)]  # fmt: skip
    if sure:
        return sure[-1:]
    if given is None:
        return []
    return _possible(name, (*files, *_BESIDE), text_of, given)


def unread(name: str, text_of: TextOf, files: Iterable[str], read: Iterable[str]) -> list[Written]:
    """The lines that would set a variable, in the tests' configuration and `files`, without those that were `read`."""
    left = [file for file in dict.fromkeys((*_OF_TESTS, *files)) if file not in set(read)]
    return _possible(name, left, text_of)


def line_that_starts(argv: Sequence[str], command: Sequence[str], text_of: TextOf) -> str:
    """The line of the command's scripts that starts a Python with these arguments, as FILE:LINE; "" for none."""
    named = next((word for word in argv if word and not word.startswith("-")), "")
    program = os.path.basename(named)
    for one in _run(command, text_of) if program else ():
        for number, line in one.lines:
            words = [os.path.basename(word) for word in re.split(r"[\s;&|\"']+", line)]
            if program in words and not line.lstrip().startswith("#"):
                return f"{one.file}:{number}"
    return ""


def lines_that_give(
    flag: str, value: str, command: Sequence[str], text_of: TextOf, files: Iterable[str]
) -> list[Written]:
    """The lines that give an option to a program: the last one that the command executes, else all possible ones.

    If no line has the option, it is given by a variable of the script, and the lines with its value are meant.
    """
    whole = re.escape(value) + ("" if not value or value.endswith("=") else r"(?![\w./-])")
    option = re.compile(rf"(?<![\w-]){re.escape(flag)}(?:[=\s]\s*)?[\"']?{whole}")
    bare = re.compile(rf"(?<![\w./-]){whole}") if value else option
    run = list(_run(command, text_of))
    for pattern in (option, bare):
        sure = [Written(one.file, number, "passes", True, one.through)
                for one in run for number, line in one.lines if _gives(pattern, line)]  # fmt: skip
        if sure:
            return sure[-1:]
    return [Written(file, number, "passes", False) for file in dict.fromkeys((*files, *_BESIDE))
            for number, line in enumerate((text_of(file) or "").splitlines(), 1) if _gives(option, line)]  # fmt: skip


def line_with(name: str, text: str) -> Iterator[int]:
    """The numbers of the lines of a configuration file that give a name a value."""
    pattern = re.compile(rf"(?<![\w.-]){re.escape(name)}[\"']?\s*[:=]")
    return (number for number, line in enumerate(text.splitlines(), 1) if _gives(pattern, line))


def _gives(pattern: re.Pattern[str], line: str) -> bool:
    return not line.lstrip().startswith("#") and pattern.search(line) is not None


@dataclass(frozen=True, slots=True)
class _Run:
    """A file that a command runs or reads, the lines of it that it runs, and the line that reads it (see Written)."""

    file: str
    lines: Sequence[Line]
    through: str


def _run(command: Sequence[str], text_of: TextOf) -> Iterator[_Run]:
    """The files that a command runs, each after those that it reads, because these come first."""
    words = tuple(_words(command))
    for word in words:
        program = os.path.basename(word)
        for file in _RUN_BY.get(program, ()):
            yield from _with_read(file, text_of, words)
        if word.startswith("--env-file="):
            yield from _with_read(word.partition("=")[2], text_of, words)
        elif not word.startswith("-") and not word.endswith(".py"):
            yield from _with_read(word, text_of, words)


def _words(command: Sequence[str]) -> Iterator[str]:
    """The words of a command; those that are a command line (sh -c "...") are also split."""
    for word in command:
        yield word
        if " " in word:
            try:
                yield from shlex.split(word)
            except ValueError:  # not a command line
                continue


def _with_read(
    file: str, text_of: TextOf, words: Sequence[str], through: str = "", depth: int = 0
) -> Iterator[_Run]:
    file = os.path.normpath(file)
    text = text_of(file)
    if text is None or depth > _DEEPEST:
        return
    lines = executed(file, text, words)
    for number, line in lines:
        named = _read_at(line, file)
        for place in dict.fromkeys((named, os.path.join(os.path.dirname(file), named))) if named else ():
            yield from _with_read(place, text_of, words, f"{file}:{number}", depth + 1)
    yield _Run(file, lines, through)


def _read_at(line: str, file: str) -> str:
    """The file that a line reads into the environment; "" for none."""
    if line.lstrip().startswith("#"):
        return ""
    program = os.path.basename(file).lower()
    if program.endswith("justfile") and _DOTENV_LOAD.match(line):
        return ".env"
    ways = (*_READING, _INCLUDED) if program.endswith(("makefile", ".mk")) else _READING
    found = next((found for way in ways if (found := way.search(line)) is not None), None)
    return found["file"].strip("\"'").removeprefix("./") if found is not None else ""


def _possible(name: str, files: Iterable[str], text_of: TextOf, value: str | None = None) -> list[Written]:
    """The lines of files that set a variable, to that value, of which it is not known whether they are executed."""
    return [Written(file, number, verb, False) for file in dict.fromkeys(files)
            for number, line in enumerate((text_of(file) or "").splitlines(), 1)
            if (verb := _verb(name, line, file)) and (value is None or _can_give(name, value, line, file))]  # fmt: skip


def _can_give(name: str, value: str, line: str, file: str) -> bool:
    """Whether a line that sets a variable can have given it that value: not if another one is written out in it."""
    found = re.search(rf"\b{re.escape(name)}[\"']?\]?\s*(?:[?+:]?=|:)\s*{_WRITTEN_OUT}", line)
    if found is None or (file.endswith(".py") and not found["quote"]):
        return True
    return found["value"] == value


def _lines(name: str, file: str, lines: Iterable[Line]) -> Iterator[tuple[int, str]]:
    """The numbers of the lines that set a variable, and how."""
    return ((number, verb) for number, line in lines if (verb := _verb(name, line, file)))


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
