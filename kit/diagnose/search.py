"""From candidates to causes with few runs. Pure but for `run`, which makes one.

First everything that the findings suggest is changed at once; where the wrong thing is gone, delta debugging leaves out
what is not needed. Then each cause is put back alone, which must bring the wrong thing back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kit.diagnose.candidate import Candidate
from kit.diagnose.minimal import minimal
from kit.findings.diagnosis import Effect

_OTHERS_AT_MOST = 3  # of each group that are tried for themselves

Try = Callable[[tuple[Candidate, ...]], Effect]


@dataclass(frozen=True, slots=True)
class Found:
    """The smallest set of changes that makes the wrong thing disappear; `also` are changes that do so by themselves.

    `confirmed` is False where putting one back did not bring it back, or none was found.
    """

    needed: tuple[Candidate, ...]
    also: tuple[Candidate, ...]
    confirmed: bool
    returns: bool


class OutOfRuns(Exception):
    """No further run is allowed."""


def search(ranked: Sequence[Sequence[Candidate]], run: Try, last: Sequence[Candidate] = ()) -> Found:
    """Find the smallest set of changes that works. `ranked` are groups of candidates, the likeliest first.

    Every group is tried together with those before it, until the wrong thing is gone. Where none of them works, `last`
    are tried: each alone, then all together.
    """
    answers: dict[frozenset[str], Effect] = {}

    def ask(chosen: tuple[Candidate, ...]) -> Effect:
        key = frozenset(candidate.key for candidate in chosen)
        if key not in answers:
            answers[key] = run(chosen)
        return answers[key]

    try:
        if ask(()) is not Effect.STAYS:
            return Found((), (), False, False)
        working = _working(ranked, ask) or _alone_or_together(last, ask)
        if not working:
            return Found((), (), False, True)
        needed = minimal(working, lambda chosen: ask(chosen) is Effect.GONE)
        also = _also(ranked, needed, ask)
    except OutOfRuns:
        return Found((), (), False, ask_known(answers))
    return Found(needed, also, True, True)


def ask_known(answers: dict[frozenset[str], Effect]) -> bool:
    """Whether the wrong thing came back in a run without any change."""
    return answers.get(frozenset()) is Effect.STAYS


def _working(ranked: Sequence[Sequence[Candidate]], ask: Try) -> tuple[Candidate, ...]:
    """A set that works: the first groups together, else, where together they spoil the run, one after the other."""
    together: tuple[Candidate, ...] = ()
    for group in ranked:
        together = (*together, *group)
        if group and ask(together) is Effect.GONE:
            return together
    for candidate in together:
        if len(together) > 1 and ask((candidate,)) is Effect.GONE:
            return (candidate,)
    return ()


def _alone_or_together(last: Sequence[Candidate], ask: Try) -> tuple[Candidate, ...]:
    alone = next(((candidate,) for candidate in last if ask((candidate,)) is Effect.GONE), ())
    return alone or (tuple(last) if len(last) > 1 and ask(tuple(last)) is Effect.GONE else ())


def _also(ranked: Sequence[Sequence[Candidate]], needed: tuple[Candidate, ...], ask: Try) -> tuple[Candidate, ...]:
    """The other likely changes that are enough by themselves: where two conditions must meet, each is a cause.

    A place that leads nowhere is no such change: with it, whatever came from there is gone.
    """
    if len(needed) > 1 or not ranked:
        return ()
    places = {_place(candidate) for candidate in needed}
    others = [
        candidate
        for group in ranked
        for candidate in group[:_OTHERS_AT_MOST]
        if candidate not in needed and _place(candidate) not in places
    ]
    return tuple(candidate for candidate in others if ask((replace(candidate, otherwise=()),)) is Effect.GONE)


def _place(candidate: Candidate) -> tuple[str | None, int | None, bool]:
    """Where a candidate acts. A variable comes from outside, though it be told at the line that reads it."""
    from_outside = any(change["op"] == "unset" for change in candidate.changes)
    return candidate.file, candidate.line, from_outside
