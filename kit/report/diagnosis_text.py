"""A diagnosis for a terminal: what happened, why, the proof, what to change, what is unproved. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from kit.analysis.model import explained_by, location
from kit.analysis.stopped import describe_guard
from kit.answer.diagnosis import Cause, Diagnosis, Run
from kit.answer.model import Answer
from kit.report.answer_text import WIDTH, annotation


def text(first: Answer, diagnosis: Diagnosis, width: int = WIDTH) -> str:
    """The diagnosis in lines of at most `width` columns."""
    parts = [
        _titled("What happened", [diagnosis.happened], width),
        _titled("Why", list(_why(diagnosis)), width),
        _titled("Proof", [_run(number, run) for number, run in enumerate(diagnosis.runs, 1)], width),
        _titled("What to change", [one for cause in diagnosis.causes for one in cause.remedies], width),
        _titled("What remains unproved", list(diagnosis.unproved), width),
    ]
    guard = _paragraph(describe_guard(first.evidence), width)
    lines = [str(diagnosis.status).upper(), *guard, *(line for part in parts for line in part)]
    return "\n".join(lines) + "\n"


def as_commands(diagnosis: Diagnosis) -> str:
    """The diagnosis as GitHub workflow commands: each cause at its line, with its proof and what to change."""
    said = [annotation("notice", None, f"diagnosis, {diagnosis.status}", diagnosis.happened)]
    for cause in diagnosis.causes:
        runs = [(number, run) for number, run in enumerate(diagnosis.runs, 1) if cause.changed in run.changed]
        proof = "".join(f" Run {number}, {cause.changed}: {run.effect.shown}." for number, run in runs)
        at = cause.file, cause.line
        said.append(annotation("error", at, f"proved, {cause.kind}", f"{cause.what}{proof} {' '.join(cause.remedies)}"))
    said += [annotation("warning", None, "unproved", sentence) for sentence in diagnosis.unproved]
    return "".join(said)


def _why(diagnosis: Diagnosis) -> Iterator[str]:
    for cause in diagnosis.causes:
        yield f"{cause.kind}, {location(cause.file, cause.line)}: {cause.what}"
        yield f"  More: {explained_by(cause.kind)}"
        yield from (
            f"  {location(fact.file, fact.line)}  {fact.what}" if fact.file else f"  {fact.what}"
            for fact in cause.finding.evidence
        )
    for symptom in sorted({cause.symptom for cause in diagnosis.causes}):
        yield from together([cause for cause in diagnosis.causes if cause.symptom == symptom])


def together(causes: list[Cause]) -> Iterator[str]:
    """A sentence on how several causes of one symptom act together; none for a single cause."""
    if len(causes) < 2:
        return
    places = " and ".join(location(cause.file, cause.line) for cause in causes)
    if all(cause.alone for cause in causes):
        yield (
            f"{places} act together: removing either one is enough."
            if len(causes) == 2
            else (f"{places} act together: removing any one of them is enough.")
        )
    else:
        yield f"{places} act independently: all of them must be removed."


def _run(number: int, run: Run) -> str:
    return f"run {number}, {run.change}: {run.effect.shown} ({run.reason}; {run.duration_s:.1f} s)"


def _titled(title: str, paragraphs: list[str], width: int) -> list[str]:
    if not paragraphs:
        return []
    lines = ["", title, "-" * len(title)]
    for paragraph in paragraphs:
        lines += _paragraph(paragraph, width)
    return lines


def _paragraph(paragraph: str, width: int) -> list[str]:
    if "\n" in paragraph:  # the text is a diff
        return ["", *("    " + line for line in paragraph.splitlines()), ""]
    indent = " " * (len(paragraph) - len(paragraph.lstrip()))
    return textwrap.wrap(
        paragraph.strip(),
        width,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
