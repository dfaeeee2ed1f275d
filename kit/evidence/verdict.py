"""Verdicts: pure rules over evidence. What is missing or contradicted is UNRESOLVED, never a pass."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from kit.evidence.model import Evidence, Sighting
from kit.specimens.trial import Trial

Key = TypeVar("Key", bound=Hashable)

TESTS = "tests/"
NEEDED_PROBES = ("environment", "engine", "connection", "app", "pytest")


class Verdict(StrEnum):
    """HOLDS: the rule's statement was observed. BROKEN: its opposite was observed. UNRESOLVED: neither is certain."""

    HOLDS = "HOLDS"
    BROKEN = "BROKEN"
    UNRESOLVED = "UNRESOLVED"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict and its reason, in one sentence."""

    verdict: Verdict
    reason: str


def isolation(evidence: Evidence) -> Ruling:
    """Did every request that used a database stay on the test server?"""
    doubt = next(doubts(evidence), None)
    if doubt is not None:
        return Ruling(Verdict.UNRESOLVED, doubt)
    seen = evidence.in_requests()
    if not seen:
        return Ruling(Verdict.UNRESOLVED, "no request used a database")
    wrong = [sighting for sighting in seen if sighting.side != "test"]
    if wrong:
        return Ruling(Verdict.BROKEN, _wrong_uses(wrong, len(seen)))
    return Ruling(Verdict.HOLDS, f"the test server answered {_every_use(len(seen))} in requests")


def anywhere(evidence: Evidence) -> Ruling:
    """Did all statements of the application's own code, inside and outside requests, run on the test server?

    The statements of tests and fixtures do not count. `isolation` considers requests only.
    """
    doubt = next(doubts(evidence), None)
    if doubt is not None:
        return Ruling(Verdict.UNRESOLVED, doubt)
    seen = [one for one in evidence.sightings() if one.opener is not None and not one.opener.file.startswith(TESTS)]
    if not seen:
        return Ruling(Verdict.UNRESOLVED, "no code of the application used a database")
    wrong = [sighting for sighting in seen if sighting.side != "test"]
    if wrong:
        return Ruling(Verdict.BROKEN, _wrong_uses(wrong, len(seen), "by the application"))
    return Ruling(Verdict.HOLDS, f"the test server answered {_every_use(len(seen))} by the application")


def agreed(rulings: Iterable[Ruling]) -> Ruling:
    """The common ruling of several trials of the same thing; UNRESOLVED when they disagree."""
    rulings = tuple(rulings)
    verdicts = {ruling.verdict for ruling in rulings}
    if len(verdicts) == 1:
        return rulings[0]
    if not rulings:
        return Ruling(Verdict.UNRESOLVED, "no trial was run")
    counts = ", ".join(
        f"{sum(ruling.verdict is verdict for ruling in rulings)} {verdict}" for verdict in sorted(verdicts)
    )
    return Ruling(Verdict.UNRESOLVED, f"{len(rulings)} trials of the same kind disagree: {counts}")


def agreed_by(runs: Iterable[Evidence], key: Callable[[Trial], Key]) -> dict[Key, Ruling]:
    """The ruling on isolation for each group of runs; `key` returns the group of a trial. In the order of the runs.

    Evidence without a trial belongs to no group.
    """
    groups: dict[Key, list[Ruling]] = {}
    for evidence in runs:
        if evidence.trial is not None:
            groups.setdefault(key(evidence.trial), []).append(isolation(evidence))
    return {value: agreed(rulings) for value, rulings in groups.items()}


def doubts(evidence: Evidence) -> Iterator[str]:
    """Yield every reason why this evidence decides nothing."""
    yield from evidence.problems
    if evidence.timed_out:
        yield f"the run was ended after {evidence.duration_s:.0f} s, its time limit"
    if not evidence.processes:
        yield "no probe reported: no interpreter was started with the probes"
    for process in evidence.processes:
        missing = [name for name in NEEDED_PROBES if name not in process.probes]
        if missing:
            yield f"process {process.pid} ran without the {' and '.join(missing)} probe"
        for module, reason in process.failures.items():
            yield f"the probe for {module} could not be installed: {reason}"
        if not process.ended:
            yield f"process {process.pid} ended abruptly: its probes did not record it"
    for sighting in evidence.sightings():
        if sighting.side is None and sighting.connection.driver != "sqlite3":
            reason = sighting.connection.why_not or "it is neither side of the pair"
            yield f"the server behind {sighting.connection.configured} is not known: {reason}"
    yield from disagreements(evidence)


def disagreements(evidence: Evidence) -> Iterator[str]:
    """Compare the witnesses: a probe must have seen each connection that a server served, and the reverse."""
    if evidence.backends is None:
        yield "the servers' logs could not be read, so that there is only one witness"
        return
    logged = {(backend.side, str(backend.pid)) for backend in evidence.backends}
    sighted = {
        (sighting.side, (sighting.connection.observed or {}).get("backend_pid"))
        for sighting in evidence.sightings() if sighting.side is not None
    }
    connected = {
        (evidence.side(connection), (connection.observed or {}).get("backend_pid"))
        for connection in evidence.connections
    }
    for side, pid in sorted(logged - connected):
        yield f"the witnesses disagree: the {side} server served backend {pid}, which no probe saw"
    for side, pid in sorted((str(side), str(pid)) for side, pid in sighted - logged):
        yield f"the witnesses disagree: a probe saw backend {pid} of {side}, which the server's log does not have"


def _every_use(count: int) -> str:
    return "the one use of a database" if count == 1 else f"all {count} uses of a database"


def _wrong_uses(sightings: list[Sighting], of: int, where: str = "in requests") -> str:
    first = sightings[0]
    uses = _every_use(of) if len(sightings) == of else f"{len(sightings)} of {of} uses of a database"
    return f"the {first.side} server answered {uses} {where}, first at {first.opener} ({first.how})"
