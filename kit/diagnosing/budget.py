"""The total time that a diagnosis may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Budget:
    """A limit of `minutes` from its creation, None for no limit. `clock` returns seconds."""

    minutes: float | None = None
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "began", self.clock())

    @property
    def left_s(self) -> float:
        """The remaining seconds: infinite without a limit, otherwise at least 0."""
        if self.minutes is None:
            return float("inf")
        return max(0.0, 60 * self.minutes - (self.clock() - self.began))

    @property
    def is_spent(self) -> bool:
        """Whether no time is left."""
        return self.left_s <= 0

    def limit(self, wanted_s: float) -> float:
        """The time limit of a run that may take `wanted_s` seconds: at most the remaining time."""
        return min(wanted_s, self.left_s)
