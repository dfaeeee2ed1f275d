"""Which caller made a line create an engine of another database than it creates for other callers?"""

from __future__ import annotations

from collections.abc import Iterable

from kit.analysis.reach import Reach, is_test_file
from kit.analysis.url_source import source_of
from kit.evidence.model import Evidence, Frame


def count_shared_frames(mine: tuple[Frame, ...], theirs: tuple[Frame, ...]) -> int:
    """The number of innermost frames that two chains share."""
    pairs = enumerate(zip(mine, theirs, strict=False))
    return next((number for number, (one, other) in pairs if one != other), min(len(mine), len(theirs)))


def diverging_caller(evidence: Evidence, reach: Reach, other: Reach) -> Frame | None:
    """The caller for which one line of the application made the engine of `reach`, and another engine for `other`.

    None unless both engines were made by one line in one process, for callers that differ within both chains; also None
    when a variable holds the first URL, because then the variable decides.
    """
    one, two = reach.engine, other.engine
    if one is None or two is None or one.process != two.process or one.engine == two.engine:
        return None
    mine, theirs = evidence.chain(one), evidence.chain(two)
    if one.dialect != two.dialect or not mine or is_test_file(mine[0].file):
        return None
    if source_of(evidence, one).kind in ("variable", "default"):
        return None
    depth = count_shared_frames(mine, theirs)
    return mine[depth] if 0 < depth < min(len(mine), len(theirs)) else None


def is_made_for_application(evidence: Evidence, reach: Reach, reached: Iterable[Reach]) -> bool:
    """Whether the line that made this engine made one of another database for another caller in the application."""
    return any(
        at is not None and not is_test_file(at.file)
        for other in reached
        if other.database.id != reach.database.id
        for at in (diverging_caller(evidence, reach, other),)
    )
