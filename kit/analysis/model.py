"""A finding, and the facts that support it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from kit.evidence.model import Entry, Evidence, Frame

About = TypeVar("About", covariant=True)


@dataclass(frozen=True, slots=True)
class Fact:
    """One observation in a sentence, and its source location."""

    what: str
    file: str | None = None
    line: int | None = None
    at_s: float | None = None
    test: str | None = None


@dataclass(frozen=True, slots=True)
class Nothing:
    """The `about` of a finding that concerns nothing but its location."""


@dataclass(frozen=True, slots=True)
class Finding(Generic[About]):
    """A defect, in a sentence that a reader can act on; `file` and `line` are the location of its cause.

    `kind` is the name of its kind; `about` is the subject of the finding (an override's key, a variable, an engine),
    from which its interventions are planned. `databases` are the identities of the databases that were reached because
    of it.
    """

    kind: str
    message: str
    file: str | None
    line: int | None
    about: About
    evidence: tuple[Fact, ...] = ()
    databases: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The finding's location as file:line."""
        return location(self.file, self.line)


def explained_by(kind: str) -> str:
    """The command that explains a kind of finding."""
    return f"kit explain {kind}"


def location(file: str | None, line: int | None) -> str:
    """A source location, as it is written in messages."""
    return f"{file}:{line}" if file and line else file or "?"


def fact(evidence: Evidence, entry: Entry, what: str, frame: Frame | None = None) -> Fact:
    """A fact about an entry; its location is the given frame, or the application's innermost."""
    if frame is None:
        frame = first(evidence.chain(entry))
    return Fact(what, frame.file if frame else None, frame.line if frame else None, entry.at_s, entry.test)


def first(chain: tuple[Frame, ...]) -> Frame | None:
    """The innermost frame of a chain, None for an empty one."""
    return chain[0] if chain else None


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 test, 2 tests."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
