"""A kind of finding: everything that the kit knows about one defect of a test suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from kit.analysis.case import Case
from kit.analysis.model import Finding
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.words import USUAL, Words

About = TypeVar("About")


class Strength(Enum):
    """How much a finding explains about why a database was reached, or a test failed."""

    CAUSE = "a cause"
    ROUTE = "how the database was reached"
    UNREPLACED = "what the tests do not replace"
    WEAK = "what happened, not why"

    @property
    def explains_route(self) -> bool:
        """Whether it explains how the database was reached, which a re-run with a redirected engine proves."""
        return self is not Strength.CAUSE

    @property
    def reports_no_replacement(self) -> bool:
        """Whether it only says that nothing replaces an engine, which a redirected engine proves."""
        return self is Strength.UNREPLACED

    @property
    def is_settled_by_cause(self) -> bool:
        """Whether nothing remains to be proved of it once the cause is known."""
        return self in (Strength.WEAK, Strength.UNREPLACED)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of a kind in `kit explain` and docs/findings.md.

    The fields: `what` is wrong, how it `comes_about`, a small `example` (source code), how it is `proved`, what
    `to_do`.
    """

    what: str
    comes_about: str
    example: str
    proved: str
    to_do: str


@dataclass(frozen=True, slots=True)
class Without:
    """The reason why no intervention of the kind itself proves a finding."""

    reason: str


def always(finding: Finding[object]) -> bool:
    """`settles` of a kind whose every finding explains its leak."""
    return True


def never(finding: Finding[object]) -> bool:
    """`settles` of a kind whose findings never explain their leak: the fallback kinds are tried, too."""
    return False


def only_by_rerun(case: Case) -> Iterator[Finding[None]]:
    """`detect` of a kind that a single run does not show, only a re-run."""
    return iter(())


@dataclass(frozen=True, slots=True)
class Kind(Generic[About]):
    """One kind of finding.

    `detect` yields its findings in a run. `interventions` are the changes of re-runs that may prove one, the likeliest
    first; `advice` is what to do about one. `settles` says whether a finding explains its leak: a leak without such a
    finding is passed to the kinds of `kit.detectors.fallback`, which also report an unused engine of the tests. `route`
    is the route (`Reach.how`) that the kind represents, "" for none. `because` completes "the tests read X because
    ...", with {where} and {variable}; "" if the title is used instead. `words` are what needs more than that.
    `explains_others` means that the kind comes first among several changes each of which is enough: it explains them.
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
    words: Words[About] | Words[object] = USUAL
    explains_others: bool = False

    def plan(self, finding: Finding[About], context: Context) -> Iterator[Candidate]:
        """The candidates for re-runs that may prove a finding; none if no re-run can."""
        if not isinstance(self.interventions, Without):
            yield from self.interventions(finding, context)


def proposed(kind: str, message: str, file: str | None, line: int | None) -> Finding[None]:
    """A finding that the first run does not show and a re-run may confirm."""
    return Finding(kind, message, file, line, None)
