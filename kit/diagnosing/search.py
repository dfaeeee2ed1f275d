"""From candidates to causes with few runs. Pure except for `run`, which makes one.

First all likely candidates are applied at once; if the symptom is gone, delta debugging drops the unnecessary ones.
Then each cause is restored alone, which must bring the symptom back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from kit.answer.diagnosis import Effect
from kit.detectors.planning.candidate import Candidate
from kit.diagnosing.minimal import minimal
from kit.probes.interventions.base import Intervention

_OTHERS_AT_MOST = 3  # candidates of each group that are tried alone
_UNCHANGED_AT_MOST = 4  # unchanged runs, if the first of them did not reproduce the symptom
_DOUBT = 0.05  # accepted probability that an intermittent symptom is absent by chance in the runs with a change
_REPEATS_AT_MOST = 5

Try = Callable[[tuple[Candidate, ...]], Effect]


@dataclass(frozen=True, slots=True)
class Found:
    """The smallest set of candidates that makes the symptom disappear; `also` are others that do so alone.

    `confirmed` is False when restoring one of them alone did not bring the symptom back, or none was found. `unchanged`
    is the effect of the unchanged run, None without one. `refuted` are candidates with which alone the symptom stayed.
    `often` is (runs with the symptom, runs) among unchanged runs, including the first one; `repeated` is how many runs
    with a change were made, in each of which the symptom must be gone. If the runs were used up before the
    confirmation, `needed` is the smallest set with which it was seen to be gone.
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
    """Find the smallest set of candidates that works. `ranked` are groups of candidates, the likeliest first.

    Groups are tried cumulatively until the symptom is gone. If none works, the candidates in `last` are tried, each
    alone, then all together. `held` says whether a candidate had an effect in a joint run; those without are dropped,
    and the result counts for the others. An intermittent symptom counts as gone only after so many runs that by chance
    it would be absent from all of them with a probability of at most one in twenty. `shown` means that an unchanged run
    was already made and showed the symptom.
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
    """The smallest set with which the symptom was gone so far; empty if it was gone without any."""
    sets = [made for made, shown in answers.items() if shown is Effect.GONE]
    fewest = min(sets, key=len, default=frozenset[tuple[Intervention, ...]]())
    return tuple(one for group in (*ranked, last) for one in group if one.interventions in fewest)


def _repeatedly(run: Try, chosen: tuple[Candidate, ...], times: int) -> Effect:
    """The effect of repeated runs: GONE if it is in each of them, else the first other effect."""
    shown = run(chosen)
    for _ in range(times - 1):
        if shown is not Effect.GONE:
            break
        shown = run(chosen)
    return shown


def _how_often(run: Try) -> tuple[int, int]:
    """(unchanged runs with the symptom, unchanged runs). Two were made before, of which the first had it."""
    shown = [run(()) for _ in range(_UNCHANGED_AT_MOST - 1)]
    said = [one for one in shown if one is not Effect.VOID]
    return 1 + said.count(Effect.STAYS), 2 + len(said)


def repeats_needed(seen: int, of: int) -> int:
    """The number of runs needed with a change if the symptom occurred in `seen` of `of` unchanged runs; at least 1.

    If only the first run had the symptom, its frequency is unknown, and the result exceeds the number of possible runs.
    """
    if seen < 2:
        return _REPEATS_AT_MOST + 1
    times = 1
    while (1 - seen / of) ** times > _DOUBT and times <= _REPEATS_AT_MOST:
        times += 1
    return times


def _less(chosen: tuple[Candidate, ...], one: Candidate) -> tuple[Candidate, ...]:
    """The candidates without one of them."""
    return tuple(other for other in chosen if other is not one)


def _working(
    ranked: Sequence[Sequence[Candidate]], ask: Try, held: Callable[[Candidate], bool]
) -> tuple[Candidate, ...]:
    """A set that works: the groups cumulatively or, if they interfere with each other, a single candidate."""
    together: tuple[Candidate, ...] = ()
    for group in ranked:
        together = (*together, *group)
        gone = bool(group) and ask(together) is Effect.GONE
        together = tuple(one for one in together if held(one))
        if gone:
            return together
    everyone = [candidate for group in ranked for candidate in group]
    for candidate in everyone:  # a candidate without effect in a joint run may have one alone
        if len(everyone) > 1 and ask((candidate,)) is Effect.GONE:
            return (candidate,)
    return ()


def _alone_or_together(last: Sequence[Candidate], ask: Try) -> tuple[Candidate, ...]:
    alone = next(((candidate,) for candidate in last if ask((candidate,)) is Effect.GONE), ())
    return alone or (tuple(last) if len(last) > 1 and ask(tuple(last)) is Effect.GONE else ())


def _also(ranked: Sequence[Sequence[Candidate]], needed: tuple[Candidate, ...], ask: Try) -> tuple[Candidate, ...]:
    """The other likely candidates that are sufficient alone: where two conditions must meet, each is a cause.

    Alternatives (`otherwise`) are not tried: with a database that does not exist, the symptom is always gone.
    """
    if len(needed) > 1 or not ranked:
        return ()
    places = {_place(candidate) for candidate in needed}
    carried = {place for candidate in needed for place in candidate.carried}
    others = [
        candidate
        for group in ranked
        for candidate in group[:_OTHERS_AT_MOST]
        if candidate not in needed and _place(candidate) not in places
        if (candidate.file, candidate.line) not in carried
    ]
    return tuple(candidate for candidate in others if ask((replace(candidate, otherwise=()),)) is Effect.GONE)


def _place(candidate: Candidate) -> tuple[str | None, int | None, bool]:
    """The location of a candidate, and whether it acts from outside, as a variable does that is read there."""
    from_outside = any(intervention.from_outside for intervention in candidate.interventions)
    return candidate.file, candidate.line, from_outside
