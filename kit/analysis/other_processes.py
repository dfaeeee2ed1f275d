"""Which processes run tests, and which database did the same line use in another process?"""

from __future__ import annotations

from kit.analysis.case import Case, Leak
from kit.evidence.model import Engine, Entry, Evidence


def with_tests(evidence: Evidence) -> set[int]:
    """The processes in which pytest or unittest collects or runs tests."""
    entries: tuple[Entry, ...] = (*evidence.variables, *evidence.modes, *evidence.connections, *evidence.uses)
    return {entry.process for entry in entries if entry.phase != "start" or entry.test is not None}


def in_another_process(case: Case, leak: Leak) -> Engine | None:
    """An engine of an allowed database that the same line of the tests made in another process, or None."""
    wrong = {one.database.id for one in case.leaks}
    made = case.evidence.chain(leak.engine)[:1] if leak.engine is not None else ()
    if not made or not case.of_tests(made[0].file):
        return None
    return next(
        (
            reach.engine
            for reach in case.reached
            if reach.engine is not None
            and reach.database.id not in wrong
            and leak.engine is not None
            and reach.engine.process != leak.engine.process
            and case.evidence.chain(reach.engine)[:1] == made
        ),
        None,
    )


def ancestors(evidence: Evidence, process: int) -> tuple[int, ...]:
    """The processes with probes from which a process descends, its parent first."""
    numbers = {one.pid: number for number, one in enumerate(evidence.processes)}
    found: dict[int, None] = {}
    while process < len(evidence.processes):
        above = numbers.get(evidence.processes[process].ppid)
        if above is None or above in found:
            break
        found[above], process = None, above
    return tuple(found)
