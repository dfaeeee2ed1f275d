"""The answer of a trace, and of a diagnosis, as tables for a notebook. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.analysis.model import location
from kit.analysis.reach import Reach
from kit.answer.diagnosis import Diagnosis
from kit.answer.model import Answer
from kit.answer.timeline import subject, timeline

if TYPE_CHECKING:
    import pandas


def reached(answer: Answer) -> pandas.DataFrame:
    """One row for each route to a database: what opened it and how, in how many tests, how often."""
    routes: dict[tuple[object, ...], list[Reach]] = {}
    for reach in answer.reached:
        route = (reach.database.name, answer.judged(reach.database), reach.phase, reach.how, str(reach.opener or ""))
        routes.setdefault(route, []).append(reach)
    return _table(
        ["database", "allowed", "phase", "how", "opened at", "tests", "times"],
        [
            [*route, len({reach.test for reach in found} - {None}), sum(reach.count for reach in found)]
            for route, found in routes.items()
        ],
    )


def each_test(answer: Answer) -> pandas.DataFrame:
    """One row for each test that reached a database: which databases, and whether one is not allowed."""
    found: dict[str, list[Reach]] = {}
    for reach in answer.reached:
        if reach.test is not None:
            found.setdefault(reach.test, []).append(reach)
    return _table(
        ["test", "databases", "wrong"],
        [
            [
                test,
                ", ".join(dict.fromkeys(reach.database.name for reach in reaches)),
                any(answer.judged(reach.database) is False for reach in reaches),
            ]
            for test, reaches in found.items()
        ],
    )


def findings(answer: Answer) -> pandas.DataFrame:
    """One row for each finding: its kind, location and message."""
    return _table(["kind", "where", "message"], [[one.kind, one.where, one.message] for one in answer.findings])


def steps(answer: Answer) -> pandas.DataFrame:
    """One row for each event of the timeline: what led to a write to a wrong database, else to the first such one."""
    return _table(
        ["ms", "lane", "what", "where"],
        [
            [
                round(1000 * step.at_s),
                step.lane,
                step.what,
                location(step.where.file, step.where.line) if step.where else "",
            ]
            for step in timeline(answer, subject(answer))
        ],
    )


def runs(diagnosis: Diagnosis) -> pandas.DataFrame:
    """One row for each re-run: the interventions, the effect, and the reason."""
    return _table(
        ["changed", "symptom", "seen", "s"],
        [
            [run.change, run.effect.shown, run.reason, round(run.duration_s, 1)]
            for run in diagnosis.runs
        ],
    )


def causes(diagnosis: Diagnosis) -> pandas.DataFrame:
    """One row for each proved cause: its location, and what to change."""
    return _table(
        ["kind", "where", "what to change"],
        [[cause.kind, location(cause.file, cause.line), "\n".join(cause.remedies)] for cause in diagnosis.causes],
    )


def _table(columns: list[str], rows: list[list[object]]) -> pandas.DataFrame:
    import pandas

    # The first column is the row label; its name is in the corner, as in all tables of the notebooks.
    return pandas.DataFrame(rows, columns=columns).set_index(columns[0]).rename_axis(index=None, columns=columns[0])
