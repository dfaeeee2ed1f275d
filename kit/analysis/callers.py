"""Which caller made a line create an engine that it creates differently for another caller?"""

from __future__ import annotations

from collections.abc import Iterable

from kit.analysis.reach import Reach, is_test_file
from kit.analysis.url_source import source_of
from kit.evidence.model import Evidence, Frame


def parting(mine: tuple[Frame, ...], theirs: tuple[Frame, ...]) -> int:
    """How many of the innermost lines of two chains are the same."""
    pairs = enumerate(zip(mine, theirs, strict=False))
    return next((number for number, (one, other) in pairs if one != other), min(len(mine), len(theirs)))


def caller_apart(evidence: Evidence, reach: Reach, other: Reach) -> Frame | None:
    """The caller for which a line of the application made a reach's engine, if it made the other's for another one.

    None if they were not made by one line in one process, or the callers do not differ within both chains; also if a
    variable names the first one's URL, which then decides.
    """
    one, two = reach.engine, other.engine
    if one is None or two is None or one.process != two.process or one.engine == two.engine:
        return None
    mine, theirs = evidence.chain(one), evidence.chain(two)
    if one.dialect != two.dialect or not mine or is_test_file(mine[0].file):
        return None
    if source_of(evidence, one).kind in ("variable", "default"):
        return None
    depth = parting(mine, theirs)
    return mine[depth] if 0 < depth < min(len(mine), len(theirs)) else None


def asked_by_the_application(evidence: Evidence, reach: Reach, reached: Iterable[Reach]) -> bool:
    """Tell whether a line of the application that made the engine made one of another database for another caller."""
    return any(
        at is not None and not is_test_file(at.file)
        for other in reached
        if other.database.id != reach.database.id
        for at in (caller_apart(evidence, reach, other),)
    )
