"""The settings of the board as trials: its boxes, refused settings, trials with one box flipped. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kit.errors import TrialError
from kit.specimens.attempts import ATTEMPTS
from kit.specimens.build import project
from kit.specimens.mechanisms import MECHANISMS
from kit.specimens.trial import Selection, Trial, Way
from kit.specimens.variants import VARIANTS

SELECTIONS: Mapping[Selection, str] = {"individual": "one test", "suite": "the suite"}
WAYS: Mapping[Way, str] = {"by_hand": "by hand", "ci": "the CI way"}


@dataclass(frozen=True, slots=True)
class Box:
    """One box of the board: a mechanism or a variant. `says` describes its effect in a sentence."""

    name: str
    title: str
    says: str


MECHANISM_BOXES = tuple(Box(one.name, one.title, one.blames) for one in MECHANISMS.values())
VARIANT_BOXES = tuple(Box(one.name, one.title, one.does) for one in VARIANTS.values())
TITLES: Mapping[str, str] = {box.name: box.title for box in (*MECHANISM_BOXES, *VARIANT_BOXES)}


def refusal(trial: Trial) -> str:
    """The reason why a trial's project cannot be built, as a sentence; empty if it can."""
    try:
        project(trial.mechanisms, trial.attempt)
    except TrialError as error:
        return str(error)
    return ""


def clean(trial: Trial) -> Trial:
    """The same trial with no box ticked: the clean project, run in the same way."""
    return replace(trial, mechanisms=())


def flipped(trial: Trial) -> dict[str, Trial]:
    """For each mechanism, and each variant that is ticked, the trial with only this box flipped."""
    names = [*MECHANISMS, *(name for name in trial.mechanisms if name in VARIANTS)]
    return {name: replace(trial, mechanisms=tuple({*trial.mechanisms} ^ {name})) for name in names}


def as_code(trial: Trial) -> str:
    """Source code that runs a trial, for a cell below `session = start(...)`."""
    names = ", ".join(f'"{name}"' for name in trial.mechanisms)
    return f"""\
from kit.evidence.verdict import isolation
from kit.specimens.trial import Trial

trial = Trial(
    mechanisms=[{names}],
    attempt="{trial.attempt}",
    selection="{trial.selection}",
    way="{trial.way}",
)
[evidence] = session.run([trial])
isolation(evidence)
"""


def in_words(trial: Trial) -> str:
    """The project of a trial and the way it is run, in a line."""
    built = " + ".join(TITLES.get(name, name) for name in trial.mechanisms) or "no box ticked"
    run = f"{SELECTIONS[trial.selection]}, {WAYS[trial.way]}"
    return f"{built} · {ATTEMPTS[trial.attempt].title} · {run}"
