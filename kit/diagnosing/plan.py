"""From findings to candidates: what a re-run may change, and what to do if that proves the cause. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kit.analysis.case import Case
from kit.analysis.model import Finding
from kit.detectors.planning.candidate import Candidate, TextOf, Values
from kit.detectors.planning.context import Context
from kit.detectors.registry import KINDS, kind_named
from kit.diagnosing.for_leaks import for_leak
from kit.probes.interventions.base import Intervention


@dataclass(frozen=True, slots=True)
class Plan:
    """The candidates of a symptom: `likely`, one for each finding, then the `rest`, then the `last` resorts."""

    likely: tuple[Candidate, ...]
    rest: tuple[Candidate, ...]
    last: tuple[Candidate, ...]

    @property
    def all(self) -> tuple[Candidate, ...]:
        """Every candidate, in the order in which they are tried."""
        return (*self.likely, *self.rest, *self.last)

    @property
    def ranked(self) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
        """The groups to try, the likeliest first."""
        return (self.likely, self.rest) if self.likely else (self.rest, ())


def plan(case: Case, findings: tuple[Finding[Any], ...], text_of: TextOf, values: Values) -> Plan:
    """Every candidate that the evidence suggests. `values` are the values that variables were set to.

    The last resorts redirect each engine of a leak, in case no suggested candidate is the cause.
    """
    context = Context(case, text_of, values, findings, KINDS)
    direct = _each_once(one for finding in findings for one in kind_named(finding.kind).plan(finding, context))
    known = {candidate.interventions for candidate in direct}
    general = _each_once(one for leak in case.leaks for one in for_leak(leak, context))
    likely: dict[int, Candidate] = {}
    for candidate in direct:
        if any(candidate.finding is finding for finding in findings):
            likely.setdefault(id(candidate.finding), candidate)
    first = tuple(likely.values())
    rest = [one for one in direct if one not in first] + [one for one in general if one.interventions not in known]
    return Plan(
        first,
        tuple(rest),
        _each_once(one for leak in case.leaks for one in context.engine_elsewhere(leak)),
    )


def _each_once(planned: Iterable[Candidate]) -> tuple[Candidate, ...]:
    found: dict[tuple[Intervention, ...], Candidate] = {}
    for candidate in planned:
        found.setdefault(candidate.interventions, candidate)
    return tuple(found.values())
