"""The results of re-runs, as values. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from kit.analysis.model import Finding, counted, explained_by


class Status(StrEnum):
    """PROVED: the symptom occurs with the cause and not without it. UNRESOLVED: that could not be shown."""

    PROVED = "proved"
    UNRESOLVED = "unresolved"
    CLEAN = "clean"


class Effect(StrEnum):
    """The result of a re-run. GONE: the symptom did not recur. VOID: the run cannot be compared with the first."""

    GONE = "gone"
    STAYS = "stays"
    VOID = "void"

    @property
    def shown(self) -> str:
        """The effect as reports show it."""
        return {Effect.GONE: "gone", Effect.STAYS: "still there", Effect.VOID: "inconclusive"}[self]


@dataclass(frozen=True, slots=True)
class Run:
    """One re-run of the command: its interventions, its effect, and the reason.

    `remedy` is True when the re-run shows that the intervention repairs the suite: nothing wrong was reached, every
    test that had passed passed, and the database reached instead exists. `left_out` is how many tests of the first run
    were left out. `nowhere` is True when what answered instead was a database that does not exist.
    """

    changed: tuple[str, ...]
    effect: Effect
    reason: str
    duration_s: float
    remedy: bool = False
    left_out: int = 0
    nowhere: bool = False

    @property
    def change(self) -> str:
        """The interventions in words, and the number of tests left out."""
        without = f", {counted(self.left_out, 'test')} left out" if self.left_out else ""
        return (" and ".join(self.changed) or "unchanged") + without


@dataclass(frozen=True, slots=True)
class Cause:
    """A finding that was proved to be a cause; `file` and `line` are what the proof changed, `fix` is what to change.

    `changed` describes the intervention. `alone` is True if it is sufficient by itself. `symptom` is the number of the
    symptom that it causes: one run may have several symptoms, each with its own causes. `written` names the line that
    wrote a variable which the tests inherited. `to_change` lists remedies that were tried and worked, then `fix`,
    marked as untried if it was not tried.
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
        """The list that is printed under what to change."""
        return self.to_change or ((self.fix,) if self.fix else ())

    @property
    def kind(self) -> str:
        """The name of the finding's kind."""
        return self.finding.kind

    @property
    def what(self) -> str:
        """The finding's message, and where the variable was written."""
        return f"{self.finding.message} {self.written}".rstrip()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The outcome of a diagnosis: what happened, why, and what remains unproved."""

    status: Status
    happened: str
    causes: tuple[Cause, ...] = ()
    runs: tuple[Run, ...] = ()
    unproved: tuple[str, ...] = ()


def plain(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as plain values for JSON."""
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
