"""The options that a process was started with, in its arguments and in PYTEST_ADDOPTS. Pure."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kit.evidence.model import Evidence

ADDOPTS = "PYTEST_ADDOPTS"
_OF_CONFIGURATION = ("-c", "--config-file")
_PHASES = ("configure", "collection", "setup", "call", "teardown", "between", "finish")


@dataclass(frozen=True, slots=True)
class Option:
    """An option with its value. `variable` is the environment variable that holds it, "" for an argument.

    `of_pytest` is whether the process ran tests of pytest.
    """

    flag: str
    value: str
    of_pytest: bool
    variable: str = ""

    @property
    def names_configuration(self) -> bool:
        """Whether it is pytest's option for another configuration file."""
        return self.of_pytest and self.flag in _OF_CONFIGURATION

    @property
    def given(self) -> str:
        """The option as messages name it; of NAME=VALUE only the name, because the value may contain a password."""
        return f"{self.flag} {self.begins.removesuffix('=')}".rstrip()

    @property
    def begins(self) -> str:
        """What its value begins with, as far as it contains no password."""
        name, equals, _ = self.value.partition("=")
        return "" if "://" in name else name + equals

    def names(self, file: str) -> bool:
        """Whether its value is the path of a file of the project."""
        path = os.path.normpath(self.value)
        return file == path or path.endswith(f"/{file}") or file.endswith(f"/{path}")


def options_of(evidence: Evidence, process: int) -> list[Option]:
    """The options of a process, the last one of several first, because it is the one that counts."""
    if process >= len(evidence.processes):
        return []
    of_pytest, given = _ran_pytest(evidence, process), evidence.processes[process].argv[1:]
    found = [Option(flag, value, of_pytest) for flag, value in _options(given)]
    more = [event.value for event in evidence.parts if event.name == ADDOPTS and event.process == process]
    for text in more[-1:] if of_pytest else ():
        found += [Option(flag, value, True, ADDOPTS) for flag, value in _options(_words(text or ""))]
    return found[::-1]


def _ran_pytest(evidence: Evidence, process: int) -> bool:
    """Whether something happened in a process while pytest was configured, collected or ran tests."""
    entries = (*evidence.settings_files, *evidence.variables, *evidence.connections, *evidence.uses)
    return any(entry.process == process and entry.phase in _PHASES for entry in entries)


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each option with a value: --name=value, --name value, -n value, -nvalue."""
    for word, following in pairwise((*words, "")):
        flag, equals, value = word.partition("=")
        if not word.startswith("-") or word == "--":
            continue
        if word.startswith("--") and equals:
            yield flag, value
            continue
        if following and not following.startswith("-"):
            yield word, following
        if not word.startswith("--") and len(word) > 2:
            yield word[:2], word[2:]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an unclosed quotation mark
        return text.split()
