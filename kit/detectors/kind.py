"""What a kind of finding is: all that the kit knows about one defect of a test suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from kit.analysis.case import Case
from kit.analysis.model import Finding
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context

About = TypeVar("About")


class Strength(Enum):
    """How far a finding explains why a database was reached, or a test failed."""

    CAUSE = "a cause"
    ROUTE = "how the database was reached"
    UNREPLACED = "what nothing replaces"
    WEAK = "what was done, and not why"

    @property
    def tells_how(self) -> bool:
        """Whether it explains how the database was reached: a re-run that redirects the engine proves just that."""
        return self is not Strength.CAUSE

    @property
    def stands_for_nothing(self) -> bool:
        """Whether it reports what nothing replaces, which a redirected engine proves, and no more."""
        return self is Strength.UNREPLACED

    @property
    def idle_once_proved(self) -> bool:
        """Whether nothing of it is left to prove once the cause is known."""
        return self in (Strength.WEAK, Strength.UNREPLACED)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `kit explain` says of a kind, and docs/findings.md.

    `what` is wrong, how it `comes_about`, a small `example` (source code), how it is `proved`, what `to_do`.
    """

    what: str
    comes_about: str
    example: str
    proved: str
    to_do: str


@dataclass(frozen=True, slots=True)
class Without:
    """No re-run proves it, and why."""

    reason: str


def always(finding: Finding[object]) -> bool:
    """Every finding of the kind explains its leak."""
    return True


def never(finding: Finding[object]) -> bool:
    """No finding of the kind explains its leak: the fallback kinds are tried, too."""
    return False


def only_by_rerun(case: Case) -> Iterator[Finding[None]]:
    """Nothing of the kind is seen in one run: a re-run shows it."""
    return iter(())


@dataclass(frozen=True, slots=True)
class Kind(Generic[About]):
    """One kind of finding.

    `detect` finds it in a run. `interventions` are what a re-run may change to prove one, the likeliest first; `advice`
    is what to do about one. `settles` tells whether a finding explains its leak: where none does, the kinds of
    `kit.detectors.fallback` are asked, and there an engine that the tests made and nothing uses is reported, too.
    `route` is the route (`Reach.how`) that it stands for, "" where it stands for none. `because` is the clause that
    ends "the tests read X because ...", with {where} and {variable}; "" where the title has to do.
    """

    name: str
    title: str
    explains: Explanation
    strength: Strength
    detect: Callable[[Case], Iterator[Finding[About]]]
    interventions: Callable[[Finding[About], Context], Iterator[Candidate]] | Without
    advice: Callable[[Finding[About]], str]
    settles: Callable[[Finding[About]], bool] = always
    route: str = ""
    because: str = ""

    def plan(self, finding: Finding[About], context: Context) -> Iterator[Candidate]:
        """What a re-run may change to prove a finding; nothing where no re-run does."""
        if not isinstance(self.interventions, Without):
            yield from self.interventions(finding, context)


def proposed(kind: str, message: str, file: str | None, line: int | None) -> Finding[None]:
    """A finding that a re-run may confirm, and that the first run does not show."""
    return Finding(kind, message, file, line, None)
