"""What a kind says in its own words about a proved cause, and what it may ask of the project for that. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

About = TypeVar("About")
POSSIBLE_AT_MOST = 3  # lines that may have set a variable, or given an option


@dataclass(frozen=True, slots=True)
class Written:
    """A line that sets a variable. `sure` is True when the command executes it; `verb` is how it sets it.

    `through` is the line that reads its file, as FILE:LINE; "" when the command itself does.
    """

    file: str
    line: int
    verb: str
    sure: bool
    through: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def with_reader(self) -> str:
        """The line as the subject of a sentence, with the line that reads its file."""
        return f"{self}{f', which {self.through} reads,' if self.through else ''}"


class Sources(Protocol):
    """What the project's files, and the command that was run, tell of where something comes from."""

    def lines_that_give(self, flag: str, value: str) -> Sequence[Written]:
        """The lines that give an option to a program, or may have given it."""

    def lines_with(self, name: str, file: str) -> Iterable[int]:
        """The numbers of the lines of a configuration file that give a name a value; none if there is no file."""

    def line_that_starts(self, argv: Sequence[str]) -> str:
        """The line of the command's own scripts that started a process, as FILE:LINE; "" when unknown."""


def no_clause(about: object, where: str, sources: Sources) -> str:
    """`because` of a kind that says no more than its title."""
    return ""


def no_sentence(about: object, sources: Sources) -> str:
    """`brought` of a kind whose cause no line outside the program brings about."""
    return ""


def read_there(about: object, where: str) -> str:
    """`used` of a kind to which it does not matter how the program uses an inherited variable."""
    return f", which is read at {where}" if where else ""


@dataclass(frozen=True, slots=True)
class Words(Generic[About]):
    """What a kind says about a proved cause; `where` is FILE:LINE, the file, or "".

    `because` completes "the tests read X because ...", "" for the usual clause. `brought` is a sentence on the line
    that brought the cause about from outside the program, "" when there is none. `used` follows a clause that says who
    set the variable which the tests inherited, and says how the program uses it.
    """

    because: Callable[[About, str, Sources], str] = no_clause
    brought: Callable[[About, Sources], str] = no_sentence
    used: Callable[[About, str], str] = read_there


def possible(lines: Sequence[Written]) -> str:
    """The first lines of several possible ones, in words."""
    return ", ".join(map(str, lines[:POSSIBLE_AT_MOST]))


USUAL: Words[object] = Words()  # those of a kind with no words of its own
