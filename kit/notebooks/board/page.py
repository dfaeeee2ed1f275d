"""The results of the board as HTML that is readable without colours. Pure except for reading the style sheet."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path

from kit.evidence.verdict import Ruling, Verdict
from kit.notebooks.board.comparing import Comparison, Request, Row
from kit.notebooks.board.flipping import Flip, Flips, describe_flips
from kit.notebooks.board.result import (
    Result,
    describe_answers,
    describe_difference,
    describe_prediction,
    name_of,
)
from kit.notebooks.board.settings import TITLES
from kit.report.steps import Step

MARKS = {Verdict.HOLDS: "✔", Verdict.BROKEN: "✘", Verdict.UNRESOLVED: "?"}
_SIDES = {"test": "●", "production": "▲"}
_LANES = {"test": "answer", "production": "answer", "unknown": "answer"}


@cache
def style() -> str:
    """The style sheet as a <style> element."""
    return f"<style>{Path(__file__).with_name('board.css').read_text('utf-8')}</style>"


def styled(html: str) -> str:
    """A part of the board with its style sheet, to be displayed alone."""
    return f'{style()}<div class="kit-board">{html}</div>'


def result_html(result: Result) -> str:
    """A run compared with another: verdict, prediction, steps with the first difference, requests."""
    return verdict_box_html(result) + comparison_html(result)


def verdict_box_html(result: Result) -> str:
    """The verdict with its reason, the result of the prediction, and the names of the two runs."""
    ruling = result.ruling
    predicted = f"<p>{escape(describe_prediction(result))}</p>" if result.predicted is not None else ""
    beside = f'{escape(result.beside)}: {verdict_html(result.other_ruling)}, {escape(name_of(result.other))}'
    return (
        f'<div class="kb-verdict kb-{ruling.verdict.value}" role="alert">'
        f"<p>{verdict_html(ruling)}: {escape(ruling.reason)}.</p>{predicted}"
        f'<p class="kb-quiet">This run: {escape(name_of(result.this))}<br>Beside {beside}</p></div>'
    )


def comparison_html(result: Result) -> str:
    """The steps of both runs with the first difference, and their requests."""
    return "".join([
        _title("Step by step: where the two runs part", result.comparison.test),
        _timeline(result),
        _title("Which server answered each request"),
        _requests(result),
    ])


def flips_html(found: Flips) -> str:
    """The verdict with each box flipped."""
    rows = "".join(_flip(flip, flip.name in found.changing) for flip in found.tried)
    head = _head("box", "flipped", "verdict", "changes it?")
    return (
        f'{_title("What flips it?")}<p role="status">{escape(describe_flips(found))}</p>'
        f'<table class="kb">{head}<tbody>{rows}</tbody></table>'
    )


def code_html(code: str) -> str:
    """Source code to be copied."""
    return f'<pre class="kb-code" tabindex="0" aria-label="The trial as code">{escape(code)}</pre>'


def message_html(text: str) -> str:
    """A message of the board, which screen readers announce immediately; empty for an empty text."""
    return f'<p role="alert">{escape(text)}</p>' if text else ""


def verdict_html(ruling: Ruling) -> str:
    """A verdict with its symbol."""
    name = ruling.verdict.value
    return f'<span class="kb-word kb-word-{name}">{MARKS[ruling.verdict]} {name}</span>'


def _title(text: str, test: str = "") -> str:
    of = f' <code>{escape(test.rpartition("::")[2])}</code>' if test else ""
    return f'<h3 class="kb-title">{escape(text)}{of}</h3>'


def _head(*names: str) -> str:
    return f"<thead><tr>{''.join(f'<th scope=col>{escape(name)}</th>' for name in names)}</tr></thead>"


def _timeline(result: Result) -> str:
    comparison = result.comparison
    if not comparison.rows:
        return "<p>Neither run has a step of this test.</p>"
    said = "" if comparison.parted is not None else f"<p>{escape(describe_difference(result))}</p>"
    rows = "".join(_rows(result, comparison))
    return f'<table class="kb kb-time">{_head("about", "this run", result.beside)}<tbody>{rows}</tbody></table>{said}'


def _rows(result: Result, comparison: Comparison) -> Iterator[str]:
    for number, row in enumerate(comparison.rows):
        if number == comparison.parted:
            yield (
                '<tr class="kb-parted"><td colspan="3"><strong><span aria-hidden="true">▼ </span>Here the two part.'
                f"</strong> {escape(describe_difference(result))}</td></tr>"
            )
        yield _row(row, result.beside)


def _row(row: Row, beside: str) -> str:
    lanes = [_LANES.get(step.lane, step.lane) for step in (row.this, row.other) if step is not None]
    lane = f'<th scope="row">{lanes[0]}</th>'
    if row.same:
        return f"<tr>{lane}{_step(row.this, 'both', across=True)}</tr>"
    return f'<tr class="kb-differs">{lane}{_step(row.this, "this run")}{_step(row.other, beside)}</tr>'


def _step(step: Step | None, label: str, *, across: bool = False) -> str:
    if step is None:
        return f'<td class="kb-none" data-label="{escape(label)}">not in this run</td>'
    side = step.side if step.side in _SIDES else ""
    mark = f'<span class="kb-side-{side}" aria-hidden="true">{_SIDES[side]}</span> ' if side else ""
    text = step.text.replace("engine made", f"engine made from {step.source}", 1) if step.source else step.text
    where = f" <code>{escape(f'{step.where.file}:{step.where.line}')}</code>" if step.where else ""
    both = '<span class="kb-quiet">both: </span>' if across else ""
    span = ' colspan="2"' if across else f' data-label="{escape(label)}"'
    return (
        f'<td class="kb-step kb-{side or "neutral"}"{span} title="{1000 * step.at_s:,.0f} ms after the start">'
        f"{both}{mark}{escape(text)}{where}</td>"
    )


def _requests(result: Result) -> str:
    if not result.requests:
        return "<p>No request used a database.</p>"
    head = _head("test", "request", "this run", result.beside, "same?")
    rows = "".join(_request(one, result.beside) for one in result.requests)
    return f'<table class="kb">{head}<tbody>{rows}</tbody></table>'


def _request(one: Request, beside: str) -> str:
    same = one.this == one.other
    return (
        f'<tr{"" if same else " class=kb-differs"}><th scope="row">{escape(one.test.rpartition("::")[2])}</th>'
        f'<td data-label="request">{escape(one.request)}</td>{_answers(one.this, "this run")}'
        f'{_answers(one.other, beside)}<td class="kb-short" data-label="same?">'
        f"{'same' if same else '≠ differs'}</td></tr>"
    )


def _answers(answers: tuple[str, ...], label: str) -> str:
    side = "production" if any(one.startswith("production") for one in answers) else "test" if answers else ""
    mark = f'<span class="kb-side-{side}" aria-hidden="true">{_SIDES[side]}</span> ' if side else ""
    return f'<td data-label="{escape(label)}">{mark}{escape(describe_answers(answers))}</td>'


def _flip(flip: Flip, changes: bool) -> str:
    verdict = verdict_html(flip.ruling) if flip.ruling else f"refused: {escape(flip.refused)}"
    return (
        f'<tr{" class=kb-differs" if changes else ""}><th scope="row">{escape(TITLES[flip.name])}</th>'
        f'<td data-label="flipped">{"ticked" if flip.ticked else "taken out"}</td>'
        f'<td data-label="verdict">{verdict}</td><td data-label="changes it?">'
        f'{"<strong>yes, this changes it</strong>" if changes else "no"}</td></tr>'
    )
