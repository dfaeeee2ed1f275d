"""The result of a run on the board, compared with another run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kit.evidence.model import Evidence
from kit.evidence.verdict import Ruling, Verdict, isolation
from kit.notebooks.board.comparing import Comparison, Request, Row, compare, requests, step_in_words
from kit.notebooks.board.flipping import Run
from kit.notebooks.board.settings import clean, in_words
from kit.specimens.trial import Trial

THE_CLEAN_PROJECT = "the clean project"


@dataclass(frozen=True, slots=True)
class Result:
    """The evidence of this run and of another, the name of the other (`beside`), and the predicted verdict."""

    this: Evidence
    other: Evidence
    beside: str = THE_CLEAN_PROJECT
    predicted: Verdict | None = None

    @property
    def ruling(self) -> Ruling:
        """The ruling on the isolation of this run."""
        return isolation(self.this)

    @property
    def other_ruling(self) -> Ruling:
        """The ruling on the isolation of the other run."""
        return isolation(self.other)

    @property
    def prediction_held(self) -> bool | None:
        """Whether the verdict is the predicted one; None if there was no prediction."""
        return None if self.predicted is None else self.predicted is self.ruling.verdict

    @property
    def comparison(self) -> Comparison:
        """The steps of both runs, aligned."""
        return compare(self.this, self.other)

    @property
    def requests(self) -> tuple[Request, ...]:
        """The requests of both runs, with the servers that answered."""
        return requests(self.this, self.other)

    @property
    def parted(self) -> Row | None:
        """The first row that differs; None if both runs took the same steps."""
        comparison = self.comparison
        return None if comparison.parted is None else comparison.rows[comparison.parted]

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from kit.notebooks.board.page import result_html, styled

        return {"text/html": styled(result_html(self)), "text/plain": str(self)}


def run_beside_clean(trial: Trial, run: Run) -> Result:
    """Run a trial, and the clean project in the same way."""
    wanted = dict.fromkeys((trial, clean(trial)))
    found = {replace(one.trial, stack=trial.stack): one for one in run(wanted) if one.trial is not None}
    return Result(found[trial], found[clean(trial)])


def describe_verdict(result: Result) -> str:
    """The verdict, its reason and the result of the prediction, as sentences."""
    ruling = result.ruling
    said = f"{ruling.verdict}: {ruling.reason}."
    if result.predicted is None:
        return said
    return f"{said} {describe_prediction(result)}"


def describe_prediction(result: Result) -> str:
    """The result of the prediction as a sentence; empty if there was none."""
    if result.predicted is None:
        return ""
    held = "and it is so" if result.prediction_held else f"and it is {result.ruling.verdict}"
    return f"You predicted {result.predicted}, {held}."


def describe_difference(result: Result) -> str:
    """The first difference between the runs, as sentences."""
    row = result.parted
    same = result.ruling.verdict == result.other_ruling.verdict
    verdicts = f"Both come to {result.ruling.verdict}." if same else (
        f"This run comes to {result.ruling.verdict}, {result.beside} to {result.other_ruling.verdict}."
    )
    if row is None:
        return f"The two take the same steps in this test. {verdicts}"
    mine = step_in_words(row.this) if row.this is not None else ""
    its = step_in_words(row.other) if row.other is not None else ""
    if mine and its:
        return f"This run: {mine}. In {result.beside}: {its}. {verdicts}"
    return f"Only {'this run' if mine else result.beside} does this: {mine or its}. {verdicts}"


def name_of(evidence: Evidence) -> str:
    """The built project and the way it was run, in words."""
    return in_words(evidence.trial) if evidence.trial is not None else " ".join(evidence.command)


def describe_answers(answers: Iterable[str]) -> str:
    """The servers that answered a request, with their routes, in words."""
    return "; ".join(answers) or "no query"


def _lines(result: Result) -> Iterator[str]:
    yield name_of(result.this)
    yield describe_verdict(result)
    comparison = result.comparison
    yield f"Beside {result.beside}, step by step in {comparison.test.rpartition('::')[2]}:"
    for number, row in enumerate(comparison.rows):
        if number == comparison.parted:
            yield f"  --- here the two part. {describe_difference(result)}"
        if row.same and row.this is not None:
            yield f"  both: {step_in_words(row.this)}"
            continue
        if row.this is not None:
            yield f"  this run: {step_in_words(row.this)}"
        if row.other is not None:
            yield f"  {result.beside}: {step_in_words(row.other)}"
    if comparison.parted is None:
        yield f"  {describe_difference(result)}"
    yield "Which server answered each request:"
    for one in result.requests:
        same = "=" if one.this == one.other else "≠"
        yield (
            f"  {one.test.rpartition('::')[2]}, {one.request}: {describe_answers(one.this)} "
            f"{same} {result.beside}: {describe_answers(one.other)}"
        )
