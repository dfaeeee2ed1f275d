"""The dependence of a test's outcome on other tests, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kit.probes import kept_sessions, left_running
from kit.probes.interventions.state import Watched

ROWS, FILES, FRESH = "rows", "files", "rows of a new database"
SESSIONS, RUNNING = kept_sessions.GROUP, left_running.GROUP
OUTSIDE = (ROWS, FILES, FRESH, SESSIONS, RUNNING)  # groups of places that are not in the program's objects


class Role(StrEnum):
    """VICTIM: the test fails after others. NEEDY: it passes only after others. INDEPENDENT: others do not affect it."""

    VICTIM = "victim"
    NEEDY = "needy"
    INDEPENDENT = "independent"


class Unit(StrEnum):
    """What precedes the test: a test that runs, or a test module that is collected."""

    TEST = "test"
    MODULE = "module"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of code that ran; `file` is relative to the command's folder if it is in it."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of state that differs after the units.

    `place` is written as in a program, `before` and `after` are short descriptions without secrets ("" for nothing);
    `group` is one of kit.probes.state's groups, or of OUTSIDE. `written` is the stack of its last write, innermost line
    first. `notes` are further remarks, each with file and line.
    """

    place: str
    group: str
    holder: str
    label: str
    before: str
    after: str
    written: tuple[Line, ...] = ()
    notes: tuple[tuple[str, str, int], ...] = ()
    can_go_back: bool = True

    @property
    def is_outside(self) -> bool:
        """Whether it is outside the process."""
        return self.group in OUTSIDE

    def watched(self) -> Watched:
        """The piece in the form in which a run is asked to find its writer."""
        return Watched(self.place, self.holder, self.label)


@dataclass(frozen=True, slots=True)
class Dependence:
    """How a test depends on what precedes it.

    `units` is the smallest set found that must precede it. `pieces` are the places whose values decide: with them
    restored, the test ends as it does without the units. `alone_enough` is True if it ends as with the units when all
    other places are restored. `unrestored` are places that differ and that the kit cannot restore.
    """

    test: str
    role: Role
    units: tuple[str, ...] = ()
    unit: Unit = Unit.TEST
    pieces: tuple[Piece, ...] = ()
    alone_enough: bool = False
    reason: str = ""
    unrestored: tuple[Piece, ...] = ()
