"""The values of a measurement, for tools/bench.py and its parts."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value, the value that it is compared to, and its upper bound; all in `unit`."""

    what: str
    value: float
    against: str
    against_value: float
    most: float
    unit: str
    runs: int

    @property
    def held(self) -> bool:
        """Whether the value is within its bound."""
        return self.value <= self.most

    @property
    def times(self) -> float:
        """The ratio to the value that it is compared to."""
        return self.value / self.against_value


def in_turn(action: Callable[[], float], other: Callable[[], float], runs: int) -> tuple[float, float]:
    """Return the medians of two actions that alternate in order, so that a slow machine slows both."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(runs):
        for which in ((0, 1), (1, 0))[number % 2]:
            found[which].append((action, other)[which]())
    return statistics.median(found[0]), statistics.median(found[1])
