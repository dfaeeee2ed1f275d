"""The page of a diagnosis for a terminal: what happened, why, the proof, what to change, what is unproved. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from kit.findings.answer import Answer
from kit.findings.diagnosis import Cause, Diagnosis, Effect, Run
from kit.findings.model import Finding, place
from kit.report.answer_text import WIDTH

_SHOWN = {Effect.GONE: "gone", Effect.STAYS: "still there", Effect.VOID: "says nothing"}


def text(first: Answer, diagnosis: Diagnosis, width: int = WIDTH) -> str:
    """The diagnosis in lines of at most `width` columns."""
    parts = [
        _titled("What happened", [diagnosis.happened], width),
        _titled("Why", list(_why(first, diagnosis)), width),
        _titled("Proof", [_run(number, run) for number, run in enumerate(diagnosis.runs, 1)], width),
        _titled("What to change", [cause.fix for cause in diagnosis.causes], width),
        _titled("What remains unproved", list(diagnosis.unproved), width),
    ]
    lines = [str(diagnosis.status).upper(), *(line for part in parts for line in part)]
    return "\n".join(lines) + "\n"


def _why(first: Answer, diagnosis: Diagnosis) -> Iterator[str]:
    for cause in diagnosis.causes:
        yield f"{cause.kind}, {place(cause.file, cause.line)}: {cause.what}"
        finding = _finding(first, cause)
        if finding is not None:
            yield from (
                f"  {place(fact.file, fact.line)}  {fact.what}" if fact.file else f"  {fact.what}"
                for fact in finding.evidence
            )
    for symptom in sorted({cause.symptom for cause in diagnosis.causes}):
        yield from together([cause for cause in diagnosis.causes if cause.symptom == symptom])


def together(causes: list[Cause]) -> Iterator[str]:
    """How the causes of one thing act; nothing where there is one."""
    if len(causes) < 2:
        return
    places = " and ".join(place(cause.file, cause.line) for cause in causes)
    if all(cause.alone for cause in causes):
        yield (
            f"{places} act together: taking away either is enough."
            if len(causes) == 2
            else (f"{places} act together: taking away any one of them is enough.")
        )
    else:
        yield f"{places} act side by side: all of them must be taken away."


def _finding(first: Answer, cause: Cause) -> Finding | None:
    return next(
        (
            finding
            for finding in first.findings
            if (finding.kind, finding.file, finding.line) == (cause.kind, cause.file, cause.line)
        ),
        None,
    )


def _run(number: int, run: Run) -> str:
    changed = " and ".join(run.changed) or "nothing changed"
    return f"run {number}, {changed}: {_SHOWN[run.effect]} ({run.reason}; {run.duration_s:.1f} s)"


def _titled(title: str, paragraphs: list[str], width: int) -> list[str]:
    if not paragraphs:
        return []
    lines = ["", title, "-" * len(title)]
    for paragraph in paragraphs:
        lines += _paragraph(paragraph, width)
    return lines


def _paragraph(paragraph: str, width: int) -> list[str]:
    if "\n" in paragraph:  # a diff
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
