"""What experiments have shown, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """PROVED: with the cause the wrong thing is there, without it is gone. UNRESOLVED: that could not be shown."""

    PROVED = "proved"
    UNRESOLVED = "unresolved"
    CLEAN = "clean"


class Effect(StrEnum):
    """What a run showed. GONE: the wrong thing did not come back. VOID: the run cannot be compared with the first."""

    GONE = "gone"
    STAYS = "stays"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command: what was changed, what it showed and why it is said so."""

    changed: tuple[str, ...]
    effect: Effect
    reason: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause that was proved. `alone` is True where taking it away is enough; `fix` says what to change.

    `symptom` is the number of what it is a cause of: different things may go wrong in one run, each for its own causes.
    """

    kind: str
    what: str
    file: str | None
    line: int | None
    fix: str
    changed: str
    alone: bool
    symptom: int = 1


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The outcome: what happened, why, and what remains unproved."""

    status: Status
    happened: str
    causes: tuple[Cause, ...] = ()
    runs: tuple[Run, ...] = ()
    unproved: tuple[str, ...] = ()
