"""A count is kept as it was, without a warning and without asking the program's own numbers."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import pytest

from kit.probes.state.values import frozen, thawed


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("numbers", [(5,), (5, 2), (2**70,), (1.5,), (-3, -1), (1e300, 0.5)])
def test_a_count_goes_on_where_it_was(numbers: tuple[Any, ...]) -> None:
    """What is restored gives the same numbers again, whatever was counted since."""
    count, same = itertools.count(*numbers), itertools.count(*numbers)
    next(count), next(same)
    kept = frozen(count)
    assert [next(count) for _ in range(3)] == [next(same) for _ in range(3)]
    again = itertools.count(*numbers)
    next(again)
    assert [next(thawed(kept)) for _ in range(3)] == [next(again) for _ in range(3)]


def test_a_count_of_other_numbers_is_left_alone() -> None:
    """Their text would be made by code that is not Python's own."""
    count = itertools.count(Fraction(1, 3))
    assert frozen(count) is count
