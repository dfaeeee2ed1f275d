"""The rows of a load test, for tools/soak.py and its parts."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_GROWTH_AT_MOST = 1.05  # of memory, from the first quarter of the measurements to the last
_NOISE_MB = 4.0


@dataclass(frozen=True, slots=True)
class Row:
    """What was done, how often, the expected and the observed result, and whether they agree."""

    what: str
    times: int
    wanted: str
    seen: str
    held: bool


def counted_row(what: str, wanted: str, right: int, times: int, wrong: Sequence[str] = ()) -> Row:
    """A row for something that must succeed every time; `wrong` are the other results."""
    seen = f"{right} of {times}" + (f" ({'; '.join(dict.fromkeys(wrong))})" if wrong else "")
    return Row(what, times, wanted, seen, right == times)


def flat(what: str, times: int, values: Sequence[float], unit: str, growth: bool = False) -> Row:
    """A row for a value that must not grow: the median of the first quarter against that of the last.

    With `growth`, for memory, it may grow by a twentieth and a few MB.
    """
    quarter = max(1, len(values) // 4)
    first, last = statistics.median(values[:quarter]), statistics.median(values[-quarter:])
    most = first * _GROWTH_AT_MOST + _NOISE_MB if growth else first
    seen = f"{first:.1f} to {last:.1f} {unit}, at most {max(values):.1f}" if growth else f"{first:.0f} to {last:.0f}"
    return Row(what, times, "no growth", seen, last <= most)
