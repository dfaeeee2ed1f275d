"""Idle slots, kept for the next trials of this process, because creating one takes as long as a trial.

They are dropped when the process exits, unless their pair is gone.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from kit.errors import PairError
from kit.pair import Pair
from kit.pair.slots import Slot, open_slots


@dataclass(frozen=True, slots=True)
class _Open:
    """A slot, and the exit stack that drops it."""

    slot: Slot
    closing: ExitStack


_idle: dict[Pair, list[_Open]] = {}
_of_another_process: list[_Open] = []
_lock = threading.Lock()


@contextmanager
def slots(pair: Pair, count: int) -> Iterator[tuple[Slot, ...]]:
    """`count` slots on a pair, as `open_slots` makes them, kept for the next call."""
    taken = _take_idle(pair, count)
    try:
        while len(taken) < count:
            closing = ExitStack()
            (slot,) = closing.enter_context(open_slots(pair, 1))
            taken.append(_Open(slot, closing))
        yield tuple(one.slot for one in taken)
    finally:
        with _lock:
            _idle.setdefault(pair, []).extend(taken)


def close() -> None:
    """Drop every idle slot."""
    with _lock:
        waiting = [one for kept in _idle.values() for one in kept]
        _idle.clear()
    for one in waiting:
        with suppress(PairError):  # the pair is gone, and the databases with it
            one.closing.close()


def _take_idle(pair: Pair, count: int) -> list[_Open]:
    with _lock:
        kept = _idle.get(pair, [])
        taken, kept[:] = kept[:count], kept[count:]
    return taken


def _forget_in_fork() -> None:
    """Forget the slots in a fork of this process, which must not close their connections."""
    _of_another_process.extend(one for kept in _idle.values() for one in kept)
    _idle.clear()


atexit.register(close)
os.register_at_fork(after_in_child=_forget_in_fork)
