"""Delta debugging: the smallest set of items with the same effect as all of them. Pure except for `works`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")


def minimal(items: Sequence[Item], works: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """Return a subset of `items`, in order, that works and from which no single item can be left out.

    `works(items)` is assumed to be true and `works(())` to be false; neither is called. If a single item of n decides,
    about 2 log2(n) calls are made. No call is repeated.
    """
    answers: dict[tuple[int, ...], bool] = {}

    def ask(chosen: tuple[int, ...]) -> bool:
        if chosen not in answers:
            answers[chosen] = works(tuple(items[index] for index in chosen))
        return answers[chosen]

    found = _reduce(tuple(range(len(items))), ask)
    return tuple(items[index] for index in found)


def _reduce(chosen: tuple[int, ...], ask: Callable[[tuple[int, ...]], bool]) -> tuple[int, ...]:
    pieces = 2
    while len(chosen) > 1:
        parts = _split(chosen, pieces)
        smaller = next((part for part in parts if ask(part)), None)
        if smaller is not None:
            chosen, pieces = smaller, 2
            continue
        rests = [tuple(index for index in chosen if index not in part) for part in parts]
        rest = next((rest for rest in rests if pieces > 2 and ask(rest)), None)
        if rest is not None:
            chosen, pieces = rest, max(pieces - 1, 2)
        elif pieces >= len(chosen):
            break
        else:
            pieces = min(2 * pieces, len(chosen))
    return chosen


def _split(chosen: tuple[int, ...], pieces: int) -> list[tuple[int, ...]]:
    bounds = [len(chosen) * number // pieces for number in range(pieces + 1)]
    return [chosen[start:end] for start, end in pairwise(bounds) if end > start]
