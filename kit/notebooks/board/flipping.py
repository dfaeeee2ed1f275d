"""Which single boxes change the verdict? Each is flipped alone, all else stays. Effects only through `run`."""

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
    """A flipped box, and the ruling on the trial with it. `ticked` is its state after the flip.

    `ruling` is None if no such project can be built; `refused` is then the reason.
    """

    name: str
    ticked: bool
    ruling: Ruling | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Flips:
    """The ruling on a trial, the results with each box flipped, and in `left` the boxes that were not tried (yet)."""

    trial: Trial
    ruling: Ruling
    tried: tuple[Flip, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def changing(self) -> tuple[str, ...]:
        """The boxes that change the verdict when flipped alone. UNRESOLVED is no verdict, so it counts as no change."""
        return tuple(flip.name for flip in self.tried if flip.ruling is not None and self._changes(flip.ruling))

    def _changes(self, ruling: Ruling) -> bool:
        return Verdict.UNRESOLVED not in (ruling.verdict, self.ruling.verdict) and ruling.verdict != self.ruling.verdict

    def __str__(self) -> str:
        said = [describe_flips(self)]
        for flip in self.tried:
            mark = "changes it: " if flip.name in self.changing else ""
            came_to = flip.ruling.verdict if flip.ruling else f"refused: {flip.refused}"
            said.append(f"{TITLES[flip.name]} {'ticked' if flip.ticked else 'taken out'}: {mark}{came_to}")
        return "\n  ".join(said)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from kit.notebooks.board.page import flips_html, styled

        return {"text/html": styled(flips_html(self)), "text/plain": str(self)}


def flips(evidence: Evidence, run: Run) -> Iterator[Flips]:
    """Repeat a trial with each box flipped, one at a time. Yields the results so far after each trial.

    Raises ValueError if the evidence does not belong to a trial.
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


def describe_flips(found: Flips) -> str:
    """The boxes that change the verdict, and the number of those tried, in one or two sentences."""
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
