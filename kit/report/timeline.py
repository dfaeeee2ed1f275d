"""The timeline of a test: from the variable to the server that answered, with an arrow from each engine to its uses.

One drawing for notebooks, the board and the page of a diagnosis (HTML), and for a README (SVG).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kit.analysis.reach import Reach
from kit.answer.model import Answer
from kit.answer.timeline import Step as Moment
from kit.answer.timeline import is_of_a_leak, subject
from kit.answer.timeline import timeline as moments
from kit.errors import TrialError
from kit.evidence.model import Evidence, Frame
from kit.report.drawing import Drawing, macro
from kit.report.headline import headline
from kit.report.panel import (
    JUDGED_SHOWN,
    LETTERS_AT_MOST,
    LETTERS_SAID,
    SERVERS_SHOWN,
    Entry,
    Panel,
    Row,
    Sides,
    code_line,
    in_a_legend,
    in_words,
    milliseconds,
    panel,
    place_of,
    row_of,
)
from kit.report.printable import shortened
from kit.report.source_lines import Code, source_of
from kit.report.steps import steps
from kit.report.timeline_svg import svg
from kit.specimens.build import project
from kit.specimens.edits import Files

_JUDGED = {True: "allowed", False: "not allowed", None: None}


def timeline(runs: Mapping[str, Evidence], test: str) -> Drawing:
    """Draw the steps of `test` in each run, one panel below the other; the key of a run is its panel's name.

    Time runs downwards. Steps are evenly spaced, because the intervals range from microseconds to seconds; the time is
    printed beside each step.
    """
    return drawing(f"Timeline of {test.rpartition('::')[2]}", panels(runs, test))


def panels(runs: Mapping[str, Evidence], test: str) -> tuple[Panel, ...]:
    """The panels of a timeline."""
    return tuple(
        panel(name, [row_of(step, specimen_code(evidence, step.where)) for step in steps(evidence, test)])
        for name, evidence in runs.items()
    )


def answer_timeline(answer: Answer, code: Code | None = None) -> Drawing:
    """Draw what led to the first write to a wrong database, else to the first such database, else to a test's own.

    A database has a short name in the rows, and its address in a legend. `code` gives the line of code of a step; by
    default it is read from the folder in which the command ran.
    """
    about = subject(answer)
    name = "" if about is None else about.test or "outside the tests"
    shown = answer_panel(answer, name, code or source_of(answer.allowed.folder))
    if about is None:
        return _titled("No database was reached.", (shown,), JUDGED_SHOWN)
    return _titled(f"{shown.heading} {_of_what(answer, about)}", (shown,), JUDGED_SHOWN)


def answer_panel(answer: Answer, name: str, code: Code) -> Panel:
    """The panel of an answer: the steps that led to its subject."""
    about = subject(answer)
    found = moments(answer, about)
    named = {one.named.name: one.named for one in found if one.named is not None}
    wrong_first = sorted(named.values(), key=lambda one: one.allowed is not False)
    legend = tuple(Entry(one.name, _JUDGED[one.allowed], one.described) for one in wrong_first)
    shown = panel(name, [_moment(one, code) for one in found])
    return replace(shown, databases=legend, heading=headline(answer, about, found) if about is not None else "")


def _of_what(answer: Answer, about: Reach) -> str:
    if not is_of_a_leak(answer, about):
        return "Timeline of what led to the first database of a test."
    return f"Timeline of what led to the first {'write to a wrong' if about.writes else 'wrong'} database."


def drawing(what: str, drawn: Sequence[Panel], sides: Sides = SERVERS_SHOWN) -> Drawing:
    """A drawing of these panels, with a title that says how each run ended, and then what is drawn."""
    ends = " ".join(f"{one.name or 'The run'}: {_end(one.rows)}." for one in drawn)
    return _titled(f"{ends} {what}.".strip(), drawn, sides)


def _titled(title: str, drawn: Sequence[Panel], sides: Sides) -> Drawing:
    words = "\n".join(
        "\n  ".join([f"{one.name}.", *map(in_a_legend, one.databases), *map(in_words, one.rows)]) for one in drawn
    )
    html = str(macro("timeline.html", "figure")(title, drawn, *sides)).strip()
    return Drawing(title, words, html, svg(title, drawn, sides=sides))


def specimen_code(evidence: Evidence, where: Frame | None) -> str:
    """The source code of a line of the specimen, as its trial built it; "" for another project's."""
    if evidence.trial is None or where is None:
        return ""
    lines = _project(evidence.trial.mechanisms, evidence.trial.attempt).get(where.file, "").splitlines()
    return lines[where.line - 1] if 0 < where.line <= len(lines) else ""


@functools.lru_cache(maxsize=32)
def _project(mechanisms: tuple[str, ...], attempt: str) -> Files:
    try:
        return project(mechanisms, attempt)
    except TrialError:  # kept evidence can name a mechanism that this version no longer has
        return {}


def _moment(one: Moment, code: Code) -> Row:
    answers = one.lane == "database"
    text = shortened(one.said, LETTERS_SAID)
    named = one.named.name if one.named is not None and not answers else ""
    within = f", in {one.where.function}" if one.where else ""
    return Row(
        milliseconds(one.at_s), "answer" if answers else one.lane, text,
        _JUDGED[one.named.allowed if one.named is not None else one.allowed], place_of(one.where),
        code_line(code(one.where)) if one.where else "", one.engine, one.lane == "engine", one.uses,
        _during(one.phase), named, shortened(f"{one.what}{within}", LETTERS_AT_MOST),
    )


def _during(phase: str) -> str:
    """The phase of a step, which is said in its row; nothing of what was there before the command began."""
    return f"·\u00a0{phase}" if phase not in ("", "start") else ""


def _end(rows: Sequence[Row]) -> str:
    """How a run ended, in words: which server answered, and from which variable its engine was made."""
    answers = [row for row in rows if row.lane == "answer"]
    last = (answers or list(rows))[-1:]
    if not last:
        return "no step"
    server, *more = last[0].text.split(", ")
    source = _made_from(rows, last[0].engine)
    opened = [one for one in more if one.startswith("on a connection")]
    by = [f"on an engine made from {source}"] if source else [one for one in more if one.startswith("on engine")]
    return ", ".join([server, *opened, *by])


def _made_from(rows: Sequence[Row], engine: str) -> str:
    """The variable that a step names as the source of an engine's URL; "" if none does."""
    made = (re.match(r"engine \S+ made from ([^\s;]+)", row.text) for row in rows if row.makes and row.engine == engine)
    return next((found[1] for found in made if found), "")
