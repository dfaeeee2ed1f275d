"""Find what each test depends on, and report the progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kit.answer.diagnosis import Diagnosis, Run, Status
from kit.diagnosing.order.concluded import causes, is_proved, said, unproved
from kit.diagnosing.order.engines import with_engines
from kit.diagnosing.order.model import Dependence, Role
from kit.diagnosing.order.reruns import Reruns, outcomes_of
from kit.diagnosing.order.search import search
from kit.diagnosing.outside.keeper import Keeper
from kit.diagnosing.search import OutOfRuns
from kit.evidence.model import Evidence
from kit.probes.interventions.base import Intervention
from kit.probes.sealed import Seal

_ENDED = ("passed", "failed")


def depends(
    first: Evidence,
    test: str,
    again: Callable[[str, Sequence[Intervention]], Evidence],
    file: Path,
    seal: Seal,
    place: Path,
    keeper: Keeper,
) -> Dependence:
    """Find what a test of the first run depends on. `again` makes a re-run and may raise OutOfRuns."""
    outcomes = outcomes_of(first)
    tests = tuple(outcomes)
    if test not in outcomes:
        return Dependence(test, Role.INDEPENDENT, reason="no test of the first run has this name")
    if outcomes[test][0] not in _ENDED:
        return Dependence(test, Role.INDEPENDENT, reason="it did not finish in the first run")
    number = tests.index(test)
    own = test.partition("::")[0]
    modules = tuple(dict.fromkeys(module for module in (name.partition("::")[0] for name in tests) if module != own))
    runs = Reruns(again, tests, file, seal, place, keeper.address, keeper.not_looked_at)
    try:
        found = search(test, outcomes[test][0], tests[:number], tests[number + 1 :], modules, runs)
    except OutOfRuns as error:
        return Dependence(test, Role.INDEPENDENT, reason=str(error) or "the limit of re-runs is reached")
    return replace(found, pieces=tuple(with_engines(first, piece) for piece in found.pieces))


def concluded(found: Sequence[Dependence], runs: Sequence[Run], unseen: Sequence[str] = ()) -> Diagnosis:
    """Return the diagnosis that follows from the dependences of some tests."""
    proved = bool(found) and all(is_proved(one) for one in found)
    return Diagnosis(
        Status.PROVED if proved else Status.UNRESOLVED,
        "; ".join(said(one) for one in found) + ".",
        tuple(cause for number, one in enumerate(found, 1) for cause in causes(one, number)),
        tuple(runs),
        (*_unproved(found), *unseen),
    )


def _unproved(found: Sequence[Dependence]) -> Iterator[str]:
    for one in found:
        yield from unproved(one)
