"""What flips the verdict: each box tried once, and nothing else changed. Runs trials by what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from kit.evidence.model import Evidence
from kit.evidence.verdict import Ruling, Verdict, isolation
from kit.notebooks.board.settings import TITLES, flipped, refusal
from kit.specimens.trial import Trial

Run = Callable[[Iterable[Trial]], Iterator[Evidence]]
"""Runs trials and gives the evidence of each as it comes, in any order; closing it ends what still runs."""


@dataclass(frozen=True, slots=True)
class Flip:
    """One box that was flipped: ticked, or taken out, and what the trial with it came to.

    `refused` says why there is no such project; then there is no `ruling`.
    """

    name: str
    ticked: bool
    ruling: Ruling | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Flips:
    """What a trial came to, what it came to with each box flipped, and the boxes that were not tried (yet)."""

    trial: Trial
    ruling: Ruling
    tried: tuple[Flip, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def changing(self) -> tuple[str, ...]:
        """The boxes that change the verdict, one at a time. UNRESOLVED is no verdict, and changes none."""
        return tuple(flip.name for flip in self.tried if flip.ruling is not None and self._changes(flip.ruling))

    def _changes(self, ruling: Ruling) -> bool:
        return Verdict.UNRESOLVED not in (ruling.verdict, self.ruling.verdict) and ruling.verdict != self.ruling.verdict

    def __str__(self) -> str:
        said = [said_of(self)]
        for flip in self.tried:
            mark = "changes it: " if flip.name in self.changing else ""
            came_to = flip.ruling.verdict if flip.ruling else f"refused: {flip.refused}"
            said.append(f"{TITLES[flip.name]} {'ticked' if flip.ticked else 'taken out'}: {mark}{came_to}")
        return "\n  ".join(said)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from kit.notebooks.board.page import flips_html, styled

        return {"text/html": styled(flips_html(self)), "text/plain": str(self)}


def flips(evidence: Evidence, run: Run) -> Iterator[Flips]:
    """Flip each box of a trial that was run, one at a time. What is known is given after each, the whole at the end.

    ValueError for evidence that is of no trial.
    """
    if evidence.trial is None:
        raise ValueError("the evidence is of no trial")
    trial, wanted = evidence.trial, flipped(evidence.trial)
    refused = {name: why for name, one in wanted.items() if (why := refusal(one))}
    found = Flips(trial, isolation(evidence))
    found = _with(found, [Flip(name, _ticked(trial, name), None, why) for name, why in refused.items()], wanted)
    yield found
    names: dict[Trial | None, str] = {one: name for name, one in wanted.items() if name not in refused}
    for came in run(one for one in names if one is not None):
        name = names[came.trial]
        found = _with(found, [Flip(name, _ticked(trial, name), isolation(came))], wanted)
        yield found


def said_of(found: Flips) -> str:
    """In a sentence or two: which boxes change the verdict, and how many were tried."""
    changing = [f"{TITLES[flip.name]} {'ticked' if flip.ticked else 'taken out'}" for flip in found.tried
                if flip.name in found.changing]
    others = len(found.tried) - len(changing)
    if found.ruling.verdict is Verdict.UNRESOLVED:
        said = "Nothing can change a verdict that is none."
    elif not changing:
        said = f"No box changes {found.ruling.verdict}, of {len(found.tried)} tried one at a time."
    else:
        one = "One box changes" if len(changing) == 1 else "Each of these boxes alone changes"
        said = f"{one} {found.ruling.verdict}: {', '.join(changing)}. The other {others} that were tried do not."
    return said + (f" Not tried: {', '.join(TITLES[name] for name in found.left)}." if found.left else "")


def _with(found: Flips, more: list[Flip], wanted: Iterable[str]) -> Flips:
    order = list(wanted)
    tried = sorted((*found.tried, *more), key=lambda flip: order.index(flip.name))
    done = {flip.name for flip in tried}
    return replace(found, tried=tuple(tried), left=tuple(name for name in order if name not in done))


def _ticked(trial: Trial, name: str) -> bool:
    return name not in trial.mechanisms
