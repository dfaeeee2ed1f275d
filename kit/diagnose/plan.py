"""From findings to experiments: for each, the one thing to change, and what to do about it where it is proved. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from kit.diagnose.candidate import Candidate, TextOf, Values
from kit.diagnose.for_findings import ForFindings
from kit.diagnose.for_leaks import ForLeaks
from kit.findings.case import Case
from kit.findings.model import Finding


def candidates(
    case: Case,
    findings: tuple[Finding, ...],
    text_of: TextOf,
    values: Values,
) -> tuple[Candidate, ...]:
    """Every experiment that the evidence suggests, the likeliest first. `values` are what variables were set to."""
    direct, general = ForFindings(case, text_of, values, findings), ForLeaks(case, text_of, values, findings)
    planned = [
        *(candidate for finding in findings for candidate in direct.for_finding(finding)),
        *(candidate for leak in case.leaks for candidate in general.for_leak(leak)),
    ]
    return _each_once(planned)


def last_resort(case: Case, findings: tuple[Finding, ...], text_of: TextOf, values: Values) -> tuple[Candidate, ...]:
    """What is left to try, one for each engine that leads astray, where nothing that the evidence suggests decides."""
    plan = ForLeaks(case, text_of, values, findings)
    return _each_once(candidate for leak in case.leaks for candidate in plan.last_resort(leak))


def _each_once(planned: Iterable[Candidate]) -> tuple[Candidate, ...]:
    found: dict[str, Candidate] = {}
    for candidate in planned:
        found.setdefault(candidate.key, candidate)
    return tuple(found.values())
