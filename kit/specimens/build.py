"""Build the projects that trials run: the clean specimen with mechanisms, variants and an attempt applied."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kit.errors import TrialError
from kit.specimens.attempts import ATTEMPTS
from kit.specimens.contradictions import refuse_contradictions
from kit.specimens.edits import Edit, Files, edited, write
from kit.specimens.mechanisms import MECHANISMS, clean_specimen
from kit.specimens.variants import VARIANTS


def project(mechanisms: Iterable[str], attempt: str) -> Files:
    """The files of the specimen with exactly these mechanisms and variants, and this attempt.

    Raises TrialError for an unknown name, or for two that contradict each other.
    """
    return edited(clean_specimen(), _edits(mechanisms, attempt))


def write_project(directory: Path, mechanisms: Iterable[str], attempt: str) -> None:
    """Write the specimen with exactly these mechanisms and this attempt into an empty or new directory.

    Raises TrialError for an unknown name, for two that contradict each other, and for a directory that is not empty.
    """
    write(project(mechanisms, attempt), directory)


def _edits(mechanisms: Iterable[str], attempt: str) -> tuple[Edit, ...]:
    known = {name: mechanism.edits for name, mechanism in MECHANISMS.items()}
    known |= {name: variant.edits for name, variant in VARIANTS.items()}
    names = sorted(set(mechanisms))
    for name in names:
        if name not in known:
            raise TrialError(f"There is no mechanism {name!r}", wanted=f"some of {', '.join(known)}")
    if attempt not in ATTEMPTS:
        raise TrialError(f"There is no attempt {attempt!r}", wanted=f"one of {', '.join(ATTEMPTS)}")
    refuse_contradictions([*names, attempt])
    of_mechanisms = tuple(edit for name in names for edit in known[name])
    return of_mechanisms + ATTEMPTS[attempt].edits
