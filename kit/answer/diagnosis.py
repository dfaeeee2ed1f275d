"""What re-runs have shown, as values. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from kit.analysis.model import Finding, counted, explained_by


class Status(StrEnum):
    """PROVED: with the cause the symptom is there, without it is gone. UNRESOLVED: that could not be shown."""

    PROVED = "proved"
    UNRESOLVED = "unresolved"
    CLEAN = "clean"


class Effect(StrEnum):
    """What a run showed. GONE: the symptom did not come back. VOID: the run cannot be compared with the first."""

    GONE = "gone"
    STAYS = "stays"
    VOID = "void"

    @property
    def shown(self) -> str:
        """The word for a reader."""
        return {Effect.GONE: "gone", Effect.STAYS: "still there", Effect.VOID: "inconclusive"}[self]


@dataclass(frozen=True, slots=True)
class Run:
    """One re-run of the command: what was changed, what it showed, and the reason.

    `remedy` is True where nothing wrong was reached, every test that had passed passed, and what was reached instead is
    there: what was changed then is a remedy that was tried. `left_out` is how many tests of the first run were left out
    while something was looked into.
    """

    changed: tuple[str, ...]
    effect: Effect
    reason: str
    duration_s: float
    remedy: bool = False
    left_out: int = 0

    @property
    def change(self) -> str:
        """What was changed, in words, with the number of tests that were left out."""
        without = f", {counted(self.left_out, 'test')} left out" if self.left_out else ""
        return (" and ".join(self.changed) or "unchanged") + without


@dataclass(frozen=True, slots=True)
class Cause:
    """A finding that was proved to be a cause, `file` and `line` of what the proof changed, and what to `fix`.

    `changed` says what the proof changed. `alone` is True if removing it is enough. `symptom` is the number of
    what it is a cause of: different things may go wrong in one run, each for its own causes. `written` says which line
    wrote the variable that the tests inherited. `to_change` says first what was tried and helped, then `fix`, marked as
    untried where it was not.
    """

    finding: Finding[object]
    file: str | None
    line: int | None
    fix: str
    changed: str
    alone: bool
    symptom: int = 1
    written: str = ""
    to_change: tuple[str, ...] = ()

    @property
    def remedies(self) -> tuple[str, ...]:
        """What is printed under what to change."""
        return self.to_change or ((self.fix,) if self.fix else ())

    @property
    def kind(self) -> str:
        """The name of the finding's kind."""
        return self.finding.kind

    @property
    def what(self) -> str:
        """What the finding says, and who wrote the variable."""
        return f"{self.finding.message} {self.written}".rstrip()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The outcome: what happened, why, and what remains unproved."""

    status: Status
    happened: str
    causes: tuple[Cause, ...] = ()
    runs: tuple[Run, ...] = ()
    unproved: tuple[str, ...] = ()


def plain(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as plain values, as it is written to JSON."""
    return {
        "status": diagnosis.status,
        "happened": diagnosis.happened,
        "causes": [_cause(cause) for cause in diagnosis.causes],
        "runs": [asdict(run) | {"change": run.change} for run in diagnosis.runs],
        "unproved": diagnosis.unproved,
    }


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "kind": cause.kind,
        "what": cause.what,
        "file": cause.file,
        "line": cause.line,
        "fix": cause.fix,
        "to_change": cause.remedies,
        "changed": cause.changed,
        "alone": cause.alone,
        "symptom": cause.symptom,
        "explained_by": explained_by(cause.kind),
    }
