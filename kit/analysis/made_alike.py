"""Engines that the same lines make, of different databases. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from kit.analysis.case import Case, Leak
from kit.evidence.model import Engine
from kit.probes.places import place


def one_of_several(case: Case, leak: Leak, frames: Iterable[tuple[str, int]]) -> Engine | None:
    """An engine of another database than a leak's that was made through the same lines, too; None if there is none."""
    lines = set(frames)
    if leak.engine is None or not lines:
        return None
    for other in case.evidence.engines:
        made = {(frame.file, frame.line) for frame in case.evidence.chain(other)}
        if made >= lines and place(other.url) != place(leak.engine.url):
            return other
    return None
