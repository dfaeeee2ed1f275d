"""All findings of one run."""

from __future__ import annotations

from typing import Any

from kit.analysis.case import Leak, case_of
from kit.analysis.databases import Allowed
from kit.analysis.model import Finding
from kit.analysis.reach import Reach
from kit.detectors.fallback import of_unexplained
from kit.detectors.kind import Strength
from kit.detectors.registry import DETECTED, kind_named
from kit.evidence.model import Evidence

_Found = Finding[Any]


def findings(evidence: Evidence, reached: tuple[Reach, ...], allowed: Allowed) -> tuple[_Found, ...]:
    """All findings of one run; a leak that no kind explains gets a finding of a fallback kind."""
    case = case_of(evidence, reached, allowed)
    found = [finding for kind in DETECTED for finding in kind.detect(case)]
    settled = [finding for finding in found if _settles(finding)]
    found += [
        finding for leak in case.leaks if not _is_explained(leak, settled) for finding in of_unexplained(case, leak)
    ]
    reported = [one for one in found if not _is_weak(one) or _settles(one) or not _is_covered(one, found)]
    return tuple({(finding.kind, finding.file, finding.line): finding for finding in reversed(reported)}.values())[::-1]


def _settles(finding: _Found) -> bool:
    return kind_named(finding.kind).settles(finding)


def _is_weak(finding: _Found) -> bool:
    return kind_named(finding.kind).strength is Strength.WEAK


def _is_covered(weak: _Found, found: list[_Found]) -> bool:
    """Whether a stronger finding covers the same tests and databases."""
    return any(
        not _is_weak(finding)
        and set(weak.databases) <= set(finding.databases)
        and set(weak.tests) <= set(finding.tests)
        for finding in found
    )


def _is_explained(leak: Leak, settled: list[_Found]) -> bool:
    return any(leak.database.id in finding.databases and set(leak.tests) <= set(finding.tests) for finding in settled)
