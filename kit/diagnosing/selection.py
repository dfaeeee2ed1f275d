"""The fewest tests that still show the symptom: re-running them takes a fraction of the whole suite's time.

The selection starts with one test for each leak, and the test in which its engine was made. If these alone do not show
the symptom, they depend on earlier tests, which are then halved repeatedly. All tests are still collected, so that the
effects of collection stay the same. Pure except for `shows`, which makes a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kit.diagnosing.judge import Symptom

SPARED_AT_LEAST = 30  # tests, or
SPARED_AT_LEAST_S = 10.0  # seconds of test time: a smaller saving is not worth the selection's own runs

Shows = Callable[[Symptom], bool]


def smallest(symptom: Symptom, shows: Shows) -> Symptom | None:
    """The symptom with all unneeded tests left out; None when that saves little or does not show the symptom.

    `shows(small)` says whether an unchanged run without the tests `small.apart` still shows it.
    """
    order = _in_order(symptom)
    chosen = _first_of_each(symptom, order)
    if not chosen or not is_worth_it(symptom, without_others(symptom, chosen)):
        return None
    small = without_others(symptom, chosen)
    if shows(small):
        return small
    last = max(order.index(test) for test in chosen)
    before = tuple(test for test in order[:last] if test not in chosen)
    kept = _halved(before, lambda some: shows(without_others(symptom, (*chosen, *some))))
    small = without_others(symptom, (*chosen, *kept))
    return small if len(kept) < len(before) and is_worth_it(symptom, small) else None


def with_one_more(symptom: Symptom, small: Symptom, still: Sequence[str]) -> Symptom | None:
    """The smaller symptom plus one test that still shows it and was left out, which has another cause.

    None when `still` names no such test, or the selection would then save too little.
    """
    fresh = next((test for test in still if test in symptom.affected and test in small.apart), None)
    if fresh is None:
        return None
    left_out = {test for test in small.apart if test != fresh}
    more = without_others(symptom, [test for test in _in_order(symptom) if test not in left_out])
    return more if is_worth_it(symptom, more) else None


def without_others(symptom: Symptom, chosen: Sequence[str]) -> Symptom:
    """The symptom with only the chosen tests."""
    kept = frozenset(chosen)
    affected = tuple(test for test in symptom.affected if test in kept)
    return replace(
        symptom, affected=affected, apart=tuple(test for test in _all(symptom) if test not in kept), selected=True
    )


def is_worth_it(symptom: Symptom, small: Symptom) -> bool:
    """Whether the smaller symptom leaves out enough tests, or test time, to save time."""
    spared = set(small.apart) - set(symptom.apart)
    outcomes = symptom.first.evidence.outcomes
    time_s = sum(outcome.duration_s for outcome in outcomes if outcome.test in spared)
    return len(spared) >= SPARED_AT_LEAST or time_s >= SPARED_AT_LEAST_S


def _all(symptom: Symptom) -> tuple[str, ...]:
    """Every test of the first run, in order."""
    return tuple(dict.fromkeys(outcome.test for outcome in symptom.first.evidence.outcomes))


def _in_order(symptom: Symptom) -> tuple[str, ...]:
    """The tests that can run for this symptom, in order."""
    apart = set(symptom.apart)
    return tuple(test for test in _all(symptom) if test not in apart)


def _first_of_each(symptom: Symptom, order: Sequence[str]) -> tuple[str, ...]:
    """The first test of each leak and the test that made its engine; if there are none, the suite's first test."""
    found: dict[str, None] = {}
    for leak in symptom.leaks:
        maker = leak.engine.test if leak.engine is not None else None
        found |= {test: None for test in (maker, *leak.tests[:1]) if test is not None and test in order}
    if symptom.leaks and not found and order:
        return (order[0],)
    return tuple(test for test in order if test in found)


def _halved(tests: tuple[str, ...], shows: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...]:
    """Keep halving the tests while one half still shows the symptom."""
    while len(tests) > 1:
        middle = len(tests) // 2
        half = next((part for part in (tests[middle:], tests[:middle]) if shows(part)), None)
        if half is None:
            break
        tests = half
    return tests
