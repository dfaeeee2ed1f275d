"""What is found about a test whose outcome depends on others, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kit.probes.interventions.state import Watched

ROWS, FILES, FRESH = "rows", "files", "rows of a new database"
OUTSIDE = (ROWS, FILES, FRESH)  # groups of places outside of the process


class Role(StrEnum):
    """VICTIM: the test fails after others. NEEDY: it passes only after others. INDEPENDENT: they make no difference."""

    VICTIM = "victim"
    NEEDY = "needy"
    INDEPENDENT = "independent"


class Unit(StrEnum):
    """What comes before the test: a test that runs, or a module of tests that is collected."""

    TEST = "test"
    MODULE = "module"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of code that ran; `file` is relative to the command's folder if it lies in it."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of state that differs after the units.

    `place` is written as a program would write it, `before` and `after` are short texts without secrets ("" where
    there was nothing); `group` is one of kit.probes.state's groups, or of those outside of the process. `written` are
    the lines that wrote it last, the innermost first. `notes` is what else there is to say of that, with file and line.
    """

    place: str
    group: str
    holder: str
    label: str
    before: str
    after: str
    written: tuple[Line, ...] = ()
    notes: tuple[tuple[str, str, int], ...] = ()

    @property
    def is_outside(self) -> bool:
        """Whether it is outside of the process."""
        return self.group in OUTSIDE

    def watched(self) -> Watched:
        """The piece as a run is told to look for who writes it."""
        return Watched(self.place, self.holder, self.label)


@dataclass(frozen=True, slots=True)
class Dependence:
    """How a test depends on what comes before it.

    `units` is the smallest set found of what must come before. `pieces` are the places whose values decide: with them
    put back the test ends as it does without the units. `alone_enough` is True where it ends as with the units though
    all other places were restored.
    """

    test: str
    role: Role
    units: tuple[str, ...] = ()
    unit: Unit = Unit.TEST
    pieces: tuple[Piece, ...] = ()
    alone_enough: bool = False
    reason: str = ""
