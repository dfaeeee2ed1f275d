"""The lifetime of an override: who set it, who removed it, and when."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from kit.analysis.case import Case, Leak
from kit.analysis.reach import Reach
from kit.evidence.model import Override


@dataclass(frozen=True, slots=True)
class Removal:
    """An override that was set and removed before a leak. `own` is True when its setter removed it."""

    was_set: Override
    removed: Override
    own: bool


class Changes:
    """The changes of a run's overrides, by process and dependency, so that each use of one finds its own quickly."""

    def __init__(self, case: Case) -> None:
        self._found: dict[tuple[int, str], list[Override]] = {}
        for change in case.evidence.overrides:
            self._found.setdefault((change.process, change.key), []).append(change)
        for changes in self._found.values():
            changes.sort(key=_at_s)

    def until(self, reach: Reach) -> list[Override]:
        """The changes of the override of a reach's dependency up to the reach, in order."""
        changes, end = self._before(reach)
        return changes[:end]

    def last(self, reach: Reach) -> Override | None:
        """The last of these changes; None without one."""
        changes, end = self._before(reach)
        return changes[end - 1] if end else None

    def _before(self, reach: Reach) -> tuple[list[Override], int]:
        key = reach.dependency.callable if reach.dependency is not None else ""
        changes = self._found.get((reach.entry.process, key), [])
        return changes, bisect_right(changes, reach.entry.at_s, key=_at_s)


def removal_before(case: Case, leak: Leak) -> Removal | None:
    """The removal that left a leak's dependency without its override; None when there was none."""
    found = Changes(case).until(leak.first)
    was_set = next((change for change in reversed(found) if change.op != "removed"), None)
    if not found or found[-1].op != "removed" or was_set is None:
        return None
    return Removal(was_set, found[-1], _is_removed_by_setter(case, was_set, found[-1]))


def is_removed_early(leak: Leak, removal: Removal) -> bool:
    """Whether the code that set an override for a test removed it before that test needed it."""
    return removal.own and removal.removed.test is not None and removal.removed.test == leak.first.test


def explains_leak(leak: Leak, removal: Removal | None) -> bool:
    """Whether a removal explains why a leak's dependency had no override."""
    return removal is not None and (not removal.own or is_removed_early(leak, removal))


def author_of(change: Override) -> str:
    """Describe who changed an override."""
    if change.fixture is not None:
        return f"fixture {change.fixture}"
    return change.test or ("the program" if change.phase == "start" else f"code of the {change.phase} phase")


def _at_s(change: Override) -> float:
    return change.at_s


def _is_removed_by_setter(case: Case, was_set: Override, removed: Override) -> bool:
    """Whether the fixture or test that set an override removed it, which is correct."""
    setter, remover = case.evidence.chain(was_set), case.evidence.chain(removed)
    same = bool(setter and remover) and (setter[0].file, setter[0].function) == (remover[0].file, remover[0].function)
    return same and was_set.test == removed.test
