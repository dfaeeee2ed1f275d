"""Which override is in effect in the tests' process, and not in another one that answers for them?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak
from kit.analysis.other_processes import ancestors, with_tests
from kit.analysis.reach import Reach
from kit.analysis.starters import starters
from kit.evidence.model import Callable, Child, Entry, Evidence, Fork, Override


@dataclass(frozen=True, slots=True)
class Lacking:
    """A process served a reach without the override that `change` had set in the tests' process.

    `start` is the event that created the process; None when another program started it. `led_to` is what the override
    reached in the tests' process, None when nothing did.
    """

    reach: Reach
    change: Override
    start: Child | Fork | None
    led_to: Reach | None


def lacking(case: Case, leak: Leak) -> Lacking | None:
    """The override that a leak's process lacks; None unless it explains the leak.

    It does not if that process, or one that it was forked from, had an override of that dependency: then something else
    keeps the override from applying.
    """
    return next((found for reach in leak.reaches for found in _of_reach(case, reach)), None)


def _of_reach(case: Case, reach: Reach) -> Iterator[Lacking]:
    evidence, dependency, process = case.evidence, reach.dependency, reach.entry.process
    if reach.how != "dependency" or dependency is None or _had_one(evidence, reach, dependency):
        return
    above, is_beside = ancestors(evidence, process), _runs_no_tests(evidence, process)
    for change in reversed(_changes(evidence, dependency)):
        other = change.process
        if other == process or not (other in above or is_beside) or not case.done_by_tests(change):
            continue
        if _in_effect(evidence, change, reach.entry):
            led_to = _led_to(case, other, dependency)
            if led_to is None or led_to.database.id not in case.wrong:
                yield Lacking(reach, change, _start(evidence, reach.entry), led_to)
            return


def _changes(evidence: Evidence, dependency: Callable) -> list[Override]:
    """The changes of overrides of a callable in all processes: each has an object of its own for it."""
    known = {one.callable: one for one in evidence.callables}
    return [change for change in evidence.overrides if change.key in known and _alike(known[change.key], dependency)]


def _alike(one: Callable, other: Callable) -> bool:
    return (one.name, one.file, one.line, one.type) == (other.name, other.file, other.line, other.type)


def _had_one(evidence: Evidence, reach: Reach, dependency: Callable) -> bool:
    """Whether an override of the dependency was set in the process, or was in effect when it was forked."""
    process, changes = reach.entry.process, _changes(evidence, dependency)
    if any(change.process == process and change.at_s <= reach.entry.at_s for change in changes):
        return True
    for above in ancestors(evidence, process):
        fork = next((one for one in evidence.forks if one.process == process), None)
        if fork is None:
            return False
        if any(change.process == above and _in_effect(evidence, change, fork) for change in changes):
            return True
        process = above
    return False


def _in_effect(evidence: Evidence, change: Override, entry: Entry) -> bool:
    """Whether the override of a change was there when an entry of another process was recorded."""
    later = [
        other.op
        for other in evidence.overrides
        if (other.process, other.app, other.key) == (change.process, change.app, change.key)
        and change.at_s <= other.at_s <= entry.at_s
    ]
    return bool(later) and later[-1] != "removed"


def _led_to(case: Case, process: int, dependency: Callable) -> Reach | None:
    return next(
        (
            reach
            for reach in case.reached
            if reach.how == "override" and reach.entry.process == process
            and reach.dependency is not None and _alike(reach.dependency, dependency)
        ),
        None,
    )  # fmt: skip


def _runs_no_tests(evidence: Evidence, process: int) -> bool:
    return process < len(evidence.processes) and not evidence.processes[process].forked \
        and process not in with_tests(evidence)


def _start(evidence: Evidence, entry: Entry) -> Child | Fork | None:
    fork = next((one for one in evidence.forks if one.process == entry.process), None)
    numbered = [child for child in starters(evidence, entry) if child.pid is not None]
    return fork if fork is not None else next(reversed(numbered), None)
