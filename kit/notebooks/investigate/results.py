"""The results of a run of notebooks, and the rules that decide them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from kit.errors import TO_DO, PairError
from kit.notebooks.cells import Claim, words
from kit.notebooks.investigate import claims, headings, shown
from kit.notebooks.investigate.claims import Exercise
from kit.notebooks.investigate.saved import REMEDIES, Outcome


class Status(StrEnum):
    """HELD: every claim of the notebook held. FELL: one did not. COULD_NOT_RUN: it did not finish."""

    HELD = "held"
    FELL = "fell"
    COULD_NOT_RUN = "could not run"


@dataclass(frozen=True, slots=True)
class NotebookRun:
    """One executed notebook: its decided claims, and those that it never reached, which count as not held.

    `reason` and `remedy` are empty if every claim held. `remarks` are sentences on what is worth knowing but not wrong.
    `cells` maps a claim's id to the id of the cell that decided it. `question` and `answer` are what the notebook says
    first, as text.
    """

    name: str
    status: Status
    outcome: Outcome
    claims: tuple[Claim, ...]
    unreached: tuple[Claim, ...] = ()
    reason: str = ""
    remedy: str = ""
    remarks: tuple[str, ...] = ()
    exercises: tuple[Exercise, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cells: Mapping[str, str] = field(default_factory=dict)
    question: str = ""
    answer: str = ""

    @property
    def file(self) -> str:
        """The file name of the executed notebook, in the run's folder."""
        return f"{self.name}.ipynb"

    @property
    def page(self) -> str:
        """The file name of its HTML page."""
        return f"{self.name}.html"

    @property
    def seconds(self) -> float:
        """Wall time, including the start of the kernel."""
        return self.outcome.seconds

    @property
    def made(self) -> int:
        """The number of claims that it makes, decided or not."""
        return len(self.claims) + len(self.unreached)

    @property
    def held(self) -> int:
        """The number of claims that held."""
        return sum(claim.held for claim in self.claims)


@dataclass(frozen=True, slots=True)
class Investigation:
    """The result of `investigate`.

    `exit_code` is 0 if every claim held, 1 if one fell, 2 if something could not run and nothing fell. `reason` is one
    line on what fell or failed, `remedy` what to do about it; both are empty for 0. `folder` is the run's, None if
    nothing was run. `stopped` is why the run was ended before its end; empty if it was not.
    """

    exit_code: int
    reason: str = ""
    remedy: str = ""
    folder: Path | None = None
    notebooks: tuple[NotebookRun, ...] = ()
    seconds: float = 0.0
    stopped: str = ""

    @property
    def claims(self) -> tuple[tuple[NotebookRun, Claim], ...]:
        """Every claim with its notebook, in reading order; within a notebook, unreached ones come last."""
        return tuple((run, claim) for run in self.notebooks for claim in (*run.claims, *run.unreached))

    @property
    def held(self) -> int:
        """The number of claims that held."""
        return sum(run.held for run in self.notebooks)

    @property
    def unreached(self) -> int:
        """The number of claims that were never reached."""
        return sum(len(run.unreached) for run in self.notebooks)


def judge(
    name: str, nb: Any, left_open: Sequence[str] = (), *, trouble: PairError | None = None, solved: bool = False
) -> NotebookRun:
    """Judge an executed notebook from its saved state and from the database sessions that it left open.

    `trouble` is a fault of a server during the run: then no failure is blamed on the notebook. With `solved`, its
    exercises must all be done; otherwise they need not be.
    """
    outcome = Outcome.of(nb)
    decided = claims.decided(nb)
    exercises = tuple(claims.exercises(nb))
    status, reason, remedy = _judgement(nb, outcome, decided, exercises if solved else ())
    cells = claims.cells(nb)
    if status is Status.HELD and (fallen := shown.lost(nb, decided)) is not None:
        status, remedy = Status.FELL, shown.remedy(fallen, name)
        shows, wanted = words(fallen.observed), words(fallen.expected)
        reason = f"the notebook no longer shows its effect: expected {wanted}, observed {shows}"
        decided.append(fallen)
        cells[fallen.id] = claims.parameters_cell(nb)
    remarks = _remarks(nb, outcome, left_open)
    if trouble is not None and status is not Status.HELD:
        status, reason, remedy = Status.COULD_NOT_RUN, f"{trouble.found}; {reason}", trouble.remedy
    elif trouble is not None:
        remarks.append(f"After the notebook {trouble.found}.")
    return NotebookRun(
        name=name,
        status=status,
        outcome=outcome,
        claims=tuple(decided),
        unreached=tuple(claims.never_reached(nb, outcome)),
        reason=reason,
        remedy=remedy,
        remarks=tuple(remarks),
        exercises=exercises,
        parameters=dict(nb.metadata.get("papermill", {}).get("parameters", {})),
        cells=cells,
        question=headings.plain(headings.question(nb)),
        answer=headings.plain(headings.answer(nb)),
    )


def conclude(notebooks: Sequence[NotebookRun], folder: Path, seconds: float) -> Investigation:
    """Judge the whole run: a claim that fell outweighs a notebook that could not run."""
    worst = [run for run in notebooks if run.status is Status.FELL] or [
        run for run in notebooks if run.status is Status.COULD_NOT_RUN
    ]
    if not worst:
        return Investigation(0, folder=folder, notebooks=tuple(notebooks), seconds=seconds)
    others = sum(run.status is not Status.HELD for run in notebooks) - 1
    more = "" if not others else f" (and {others} more notebook{'s are' if others > 1 else ' is'} red)"
    reason = f"{worst[0].name}: {worst[0].reason}{more}"
    exit_code = 1 if worst[0].status is Status.FELL else 2
    return Investigation(exit_code, reason, worst[0].remedy, folder, tuple(notebooks), seconds)


def _judgement(
    nb: Any, outcome: Outcome, decided: Sequence[Claim], must_be_done: Sequence[Exercise]
) -> tuple[Status, str, str]:
    for claim in decided:
        if not claim.held:
            reason = f"the claim {claim.id} fell: expected {words(claim.expected)}, observed {words(claim.observed)}"
            return Status.FELL, reason, f"open {claim.id} in the run's page and compare expectation and observation"
    if outcome.error:
        reason, _, remedy = outcome.sentence.partition(TO_DO)  # errors of the kit contain their own remedy
        remedy = remedy.strip(" .") or REMEDIES.get(outcome.error, "correct the cell")
        return Status.COULD_NOT_RUN, reason.strip(), remedy
    if twice := claims.made_twice(nb):
        return Status.COULD_NOT_RUN, f"the claim {twice[0]} is made twice", "give each claim an id of its own"
    if not decided:
        return Status.COULD_NOT_RUN, "it makes no claim", "call kit.notebooks.cells.claim at least once"
    for exercise in must_be_done:
        if not exercise.done:
            return Status.COULD_NOT_RUN, f"the solution of exercise {exercise.id} does not pass", exercise.hint
    return Status.HELD, "", ""


def _remarks(nb: Any, outcome: Outcome, left_open: Sequence[str]) -> list[str]:
    remarks = [f"A session was still open after the notebook: {line}" for line in left_open]
    remarks += [f"A process was still running at the end: {line}" for line in outcome.still_running]
    remarks += [f"A password was taken out of the output of {cell}." for cell in outcome.secrets_in]
    if outcome.error not in ("", "LostError"):
        remarks += [f"An error was lost: {line}" for line in outcome.lost_errors]
    if meant := shown.left_out(nb, claims.decided(nb)):
        remarks.append(meant)
    if skipped := claims.not_asked(nb, outcome):
        remarks.append(f"With these parameters the notebook does not reach the claims {', '.join(skipped)}.")
    return remarks
