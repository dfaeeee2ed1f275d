"""The smallest set of changes is found, with few questions."""

from __future__ import annotations

import itertools
import math

import pytest

from kit.diagnosing.minimal import minimal


@pytest.mark.parametrize("size", [1, 2, 3, 8, 33])
def test_every_single_item_is_found_in_few_questions(size: int) -> None:
    """Where one item decides, it alone is returned, after a number of questions that grows as the logarithm."""
    items = range(size)
    for wanted in items:
        asked: list[tuple[int, ...]] = []

        def works(chosen: tuple[int, ...], wanted: int = wanted, asked: list[tuple[int, ...]] = asked) -> bool:
            asked.append(chosen)
            return wanted in chosen

        assert minimal(items, works) == (wanted,)
        assert len(asked) <= 2 * math.ceil(math.log2(size)) if size > 1 else not asked


def test_pairs_are_found_wherever_they_are() -> None:
    """Where two items must come together, exactly these two are returned."""
    items = range(7)
    for pair in itertools.combinations(items, 2):
        assert minimal(items, lambda chosen, pair=pair: set(pair) <= set(chosen)) == pair


def test_nothing_can_be_left_out_of_what_is_returned() -> None:
    """Without any one of the returned items, what worked works no longer."""

    def works(chosen: tuple[int, ...]) -> bool:
        return sum(chosen) >= 14

    found = minimal(range(8), works)
    assert works(found)
    assert not any(works(tuple(other for other in found if other != item)) for item in found)


def test_no_question_is_asked_twice() -> None:
    """A question, which is a run of somebody's tests, is put once."""
    asked: list[tuple[int, ...]] = []

    def works(chosen: tuple[int, ...]) -> bool:
        asked.append(chosen)
        return {1, 6} <= set(chosen)

    minimal(range(8), works)
    assert len(asked) == len(set(asked))
