"""What a run on the board came to, beside another run. Pure."""

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
    """The evidence of this run and of the one that it is compared with (`beside`: its name), and what was predicted."""

    this: Evidence
    other: Evidence
    beside: str = THE_CLEAN_PROJECT
    predicted: Verdict | None = None

    @property
    def ruling(self) -> Ruling:
        """The ruling on this run's isolation."""
        return isolation(self.this)

    @property
    def other_ruling(self) -> Ruling:
        """The ruling on the other's."""
        return isolation(self.other)

    @property
    def prediction_held(self) -> bool | None:
        """Whether the verdict is the one that was predicted; None where none was."""
        return None if self.predicted is None else self.predicted is self.ruling.verdict

    @property
    def comparison(self) -> Comparison:
        """The steps of both."""
        return compare(self.this, self.other)

    @property
    def requests(self) -> tuple[Request, ...]:
        """The requests of both, with who answered."""
        return requests(self.this, self.other)

    @property
    def parted(self) -> Row | None:
        """The moment at which the two parted; None where they took the same steps."""
        comparison = self.comparison
        return None if comparison.parted is None else comparison.rows[comparison.parted]

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from kit.notebooks.board.page import result_html, styled

        return {"text/html": styled(result_html(self)), "text/plain": str(self)}


def beside_the_clean_project(trial: Trial, run: Run) -> Result:
    """Run a trial, and the clean project in the same way."""
    wanted = dict.fromkeys((trial, clean(trial)))
    found = {replace(one.trial, stack=trial.stack): one for one in run(wanted) if one.trial is not None}
    return Result(found[trial], found[clean(trial)])


def verdict_said(result: Result) -> str:
    """The verdict and its reason, and whether the prediction held, in sentences."""
    ruling = result.ruling
    said = f"{ruling.verdict}: {ruling.reason}."
    if result.predicted is None:
        return said
    return f"{said} {prediction_said(result)}"


def prediction_said(result: Result) -> str:
    """Whether the prediction held, in a sentence; empty without one."""
    if result.predicted is None:
        return ""
    held = "and it is so" if result.prediction_held else f"and it is {result.ruling.verdict}"
    return f"You predicted {result.predicted}, {held}."


def parted_said(result: Result) -> str:
    """The moment at which the two runs parted, in sentences."""
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
    """What was built and run, in words."""
    return in_words(evidence.trial) if evidence.trial is not None else " ".join(evidence.command)


def answered_said(answers: Iterable[str]) -> str:
    """Who answered the queries of a request, by which route."""
    return "; ".join(answers) or "no query"


def _lines(result: Result) -> Iterator[str]:
    yield name_of(result.this)
    yield verdict_said(result)
    comparison = result.comparison
    yield f"Beside {result.beside}, step by step in {comparison.test.rpartition('::')[2]}:"
    for number, row in enumerate(comparison.rows):
        if number == comparison.parted:
            yield f"  --- here the two part. {parted_said(result)}"
        if row.same and row.this is not None:
            yield f"  both: {step_in_words(row.this)}"
            continue
        if row.this is not None:
            yield f"  this run: {step_in_words(row.this)}"
        if row.other is not None:
            yield f"  {result.beside}: {step_in_words(row.other)}"
    if comparison.parted is None:
        yield f"  {parted_said(result)}"
    yield "Which server answered each request:"
    for one in result.requests:
        same = "=" if one.this == one.other else "≠"
        yield (
            f"  {one.test.rpartition('::')[2]}, {one.request}: {answered_said(one.this)} "
            f"{same} {result.beside}: {answered_said(one.other)}"
        )
