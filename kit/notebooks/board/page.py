"""The results of the board as HTML that is readable without colours. Pure except for reading the style sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from pathlib import Path

from kit.evidence.model import Evidence
from kit.evidence.verdict import Ruling, Verdict
from kit.notebooks.board.comparing import Comparison, Request
from kit.notebooks.board.flipping import Flip, Flips, describe_flips
from kit.notebooks.board.result import (
    Result,
    describe_answers,
    describe_difference,
    describe_prediction,
    name_of,
)
from kit.notebooks.board.settings import TITLES
from kit.report.drawing import macro
from kit.report.drawing import style as drawing_style
from kit.report.panel import Panel, Row, panel, row_of
from kit.report.steps import Step
from kit.report.timeline import specimen_code

_NONE = Row("", "", "")
MARKS = {Verdict.HOLDS: "✔", Verdict.BROKEN: "✘", Verdict.UNRESOLVED: "?"}
CLASSES = "kit-drawing kit-board"
_SIDES = {"test": "●", "production": "▲"}


@cache
def style() -> str:
    """The style sheet of all drawings and that of the board as a <style> element."""
    return f"<style>{drawing_style()}{Path(__file__).with_name('board.css').read_text('utf-8')}</style>"


def styled(html: str) -> str:
    """A part of the board with its style sheet, to be displayed alone."""
    return f'{style()}<div class="{CLASSES}">{html}</div>'


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
    head = _head("about", "this run", result.beside)
    return f'{macro("timeline.html", "legend")()}<table class="kb kb-time">{head}<tbody>{rows}</tbody></table>{said}'


def _rows(result: Result, comparison: Comparison) -> Iterator[str]:
    this = _panel(result.this, "this run", [row.this for row in comparison.rows])
    other = _panel(result.other, result.beside, [row.other for row in comparison.rows])
    for number, row in enumerate(comparison.rows):
        if number == comparison.parted:
            yield (
                '<tr class="kb-parted"><td colspan="3"><strong><span aria-hidden="true">▼ </span>Here the two part.'
                f"</strong> {escape(describe_difference(result))}</td></tr>"
            )
        lane = this.rows[number].lane or other.rows[number].lane
        differs = "" if row.same else ' class="kb-differs"'
        yield (
            f'<tr{differs}><th scope="row">{lane}</th>{_step(this, number)}'
            f"{_step(other, number, same=row.same)}</tr>"
        )


def _panel(evidence: Evidence, name: str, steps: Sequence[Step | None]) -> Panel:
    """The steps of one run, with an empty row where only the other run has one."""
    rows = [row_of(step, specimen_code(evidence, step.where)) if step else _NONE for step in steps]
    return panel(name, rows, at_most=len(rows))


def _step(panel: Panel, number: int, *, same: bool = False) -> str:
    row, lines = panel.drawn[number]
    kind = "kb-none" if row is _NONE else f"kb-step kb-{row.side if row.side in _SIDES else 'neutral'}"
    text = "not in this run" if row is _NONE else _the_same(row) if same else macro("timeline.html", "what")(row)
    where = "" if same else macro("timeline.html", "place")(row)
    gutter = macro("timeline.html", "gutter")(lines, panel.width, panel.sides, row.side)
    title = f' title="{escape(row.ms)} after the start"' if row.ms else ""
    return (
        f'<td class="{kind}" data-label="{escape(panel.name)}" style="--kd-gutter: {panel.width}px"{title}>'
        f'{gutter}<span class="{"kb-quiet" if same else "kb-what"}">{text}</span> {where}</td>'
    )


def _the_same(row: Row) -> str:
    """The text of a step that the run beside took, too; its engines are named, because each run numbers its own."""
    engines = escape(", ".join(row.uses or filter(None, (row.engine,))))
    return f"the same, {'uses ' if row.lane == 'request' else 'engine '}{engines}" if engines else "the same"


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
