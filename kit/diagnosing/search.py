"""From candidates to causes with few runs. Pure but for `run`, which makes one.

First everything that the findings suggest is changed at once; where the symptom is gone, delta debugging leaves out
what is not needed. Then each cause is restored alone, which must bring the symptom back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from kit.answer.diagnosis import Effect
from kit.detectors.planning.candidate import Candidate
from kit.diagnosing.minimal import minimal
from kit.probes.interventions.base import Intervention

_OTHERS_AT_MOST = 3  # of each group that are tried for themselves
_UNCHANGED_AT_MOST = 4  # runs without any change, where the first of them did not bring it back
_DOUBT = 0.05  # that what happens only sometimes merely did not happen in the runs with a change
_REPEATS_AT_MOST = 5

Try = Callable[[tuple[Candidate, ...]], Effect]


@dataclass(frozen=True, slots=True)
class Found:
    """The smallest set of changes that makes the symptom disappear; `also` are changes that do so by themselves.

    `confirmed` is False where putting one back alone did not bring it back, or none was found. `unchanged` is what the
    run without any change showed, None where there was none. `refuted` are candidates with which alone it stayed.
    `often` is in how many runs without any change it happened, of how many, the first one included; `repeated` is how
    many runs with a change were made, in each of which it must be gone. Where the runs were used up before that was
    confirmed, `needed` is the smallest set of changes without which it was seen to be gone.
    """

    needed: tuple[Candidate, ...] = ()
    also: tuple[Candidate, ...] = ()
    confirmed: bool = False
    unchanged: Effect | None = None
    refuted: tuple[Candidate, ...] = ()
    often: tuple[int, int] = (1, 1)
    repeated: int = 1


class OutOfRuns(Exception):
    """The limit of re-runs is reached."""


def search(
    ranked: Sequence[Sequence[Candidate]],
    run: Try,
    last: Sequence[Candidate] = (),
    held: Callable[[Candidate], bool] = lambda one: True,
    shown: bool = False,
) -> Found:
    """Find the smallest set of changes that works. `ranked` are groups of candidates, the likeliest first.

    Every group is tried together with those before it, until the symptom is gone. Where none of them works, `last`
    are tried: each alone, then all together. `held` tells whether a candidate took hold in a run with others: one that
    did not leaves them, and what the run showed is shown of the others. What happens only sometimes is gone with a
    change where it is in so many runs that it would have happened in one of them, with a doubt of one in twenty. With
    `shown` a run without any change was made, and showed it.
    """
    answers: dict[frozenset[tuple[Intervention, ...]], Effect] = {frozenset(): Effect.STAYS} if shown else {}
    often, repeated = (1, 1), 1

    def ask(chosen: tuple[Candidate, ...]) -> Effect:
        key = frozenset(candidate.interventions for candidate in chosen)
        if key not in answers:
            answers[key] = _repeatedly(run, chosen, repeated)
            answers.setdefault(frozenset(one.interventions for one in chosen if held(one)), answers[key])
        return answers[key]

    needed: tuple[Candidate, ...] = ()
    also: tuple[Candidate, ...] = ()
    confirmed = False
    try:
        if ask(()) is Effect.GONE:
            often = _how_often(run)
            repeated = repeats_needed(*often)
            answers[frozenset()] = Effect.STAYS if repeated <= _REPEATS_AT_MOST else Effect.GONE
        elif answers[frozenset()] is Effect.STAYS:
            often = (2, 2)
        if answers[frozenset()] is Effect.STAYS:
            working = _working(ranked, ask, held) or _alone_or_together(last, ask)
            needed = minimal(working, lambda chosen: ask(chosen) is Effect.GONE) if working else ()
            confirmed = bool(needed) and all(ask(_less(needed, one)) is Effect.STAYS for one in needed)
            also = _also([list(filter(held, group)) for group in ranked], needed, ask) if confirmed else ()
    except OutOfRuns:
        needed, also, confirmed = _smallest_gone(ranked, last, answers), (), False
    tried = (*(candidate for group in ranked for candidate in group), *last)
    refuted = tuple(one for one in tried if answers.get(frozenset([one.interventions])) is Effect.STAYS)
    return Found(needed, also, confirmed, answers.get(frozenset()), refuted, often, repeated)


def _smallest_gone(
    ranked: Sequence[Sequence[Candidate]],
    last: Sequence[Candidate],
    answers: Mapping[frozenset[tuple[Intervention, ...]], Effect],
) -> tuple[Candidate, ...]:
    """The fewest changes with which it was gone, so far; nothing where it was gone without any."""
    sets = [made for made, shown in answers.items() if shown is Effect.GONE]
    fewest = min(sets, key=len, default=frozenset[tuple[Intervention, ...]]())
    return tuple(one for group in (*ranked, last) for one in group if one.interventions in fewest)


def _repeatedly(run: Try, chosen: tuple[Candidate, ...], times: int) -> Effect:
    """What runs with the same changes show: gone where it is in each of them, else what the first other one shows."""
    shown = run(chosen)
    for _ in range(times - 1):
        if shown is not Effect.GONE:
            break
        shown = run(chosen)
    return shown


def _how_often(run: Try) -> tuple[int, int]:
    """In how many runs without any change it happened, of how many. Two were made before: the first one had it."""
    shown = [run(()) for _ in range(_UNCHANGED_AT_MOST - 1)]
    said = [one for one in shown if one is not Effect.VOID]
    return 1 + said.count(Effect.STAYS), 2 + len(said)


def repeats_needed(seen: int, of: int) -> int:
    """How many runs with a change it takes, where it happened in `seen` of `of` runs without one. At least 1.

    More than can be made where it was seen in the first run only: how often it happens is not known then.
    """
    if seen < 2:
        return _REPEATS_AT_MOST + 1
    times = 1
    while (1 - seen / of) ** times > _DOUBT and times <= _REPEATS_AT_MOST:
        times += 1
    return times


def _less(chosen: tuple[Candidate, ...], one: Candidate) -> tuple[Candidate, ...]:
    """The changes with one of them restored."""
    return tuple(other for other in chosen if other is not one)


def _working(
    ranked: Sequence[Sequence[Candidate]], ask: Try, held: Callable[[Candidate], bool]
) -> tuple[Candidate, ...]:
    """A set that works: the first groups together, else, where together they spoil the run, one after the other."""
    together: tuple[Candidate, ...] = ()
    for group in ranked:
        together = (*together, *group)
        gone = bool(group) and ask(together) is Effect.GONE
        together = tuple(one for one in together if held(one))
        if gone:
            return together
    everyone = [candidate for group in ranked for candidate in group]
    for candidate in everyone:  # what took no hold beside others can do so alone
        if len(everyone) > 1 and ask((candidate,)) is Effect.GONE:
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
    from_outside = any(intervention.from_outside for intervention in candidate.interventions)
    return candidate.file, candidate.line, from_outside
