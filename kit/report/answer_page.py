"""The answer of a trace, and of a diagnosis, as one self-contained HTML page. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from kit.analysis.model import counted, explained_by
from kit.analysis.reach import Reach
from kit.analysis.stopped import describe_guard
from kit.answer.model import Answer, describe_no_findings, entry_remarks
from kit.answer.timeline import subject
from kit.report.answer_text import JUDGED, describe_engine, describe_family, families, routes_of
from kit.report.drawing import render
from kit.report.source_lines import Code
from kit.report.timeline import answer_panel

_ROUTES_AT_MOST = 40
_TESTS_NAMED = 3


def page(answer: Answer, diagnosis: Mapping[str, Any] | None = None, code: Code = lambda _: "") -> str:
    """The HTML page of an answer; `code` gives the line of code of a step. Requires jinja2."""
    about = subject(answer)
    tests = {outcome.test for outcome in answer.evidence.outcomes}
    return render(
        "answer.html",
        answer=answer,
        diagnosis=diagnosis,
        about=about,
        steps=answer_panel(answer, "", code),
        title="Which database answered",
        command=shlex.join(answer.evidence.command),
        tests=counted(len(tests), "test"),
        describe_no_findings=describe_no_findings(answer),
        entries=entry_remarks(answer),
        guard=describe_guard(answer.evidence),
        refused=[str(stop) for stop in answer.stopped if not stop.connection],
        headline=_headline(answer),
        explained_by=explained_by,
        seconds=answer.evidence.duration_s,
        families=[_family(answer, family) for family in families(answer)],
    )


def _headline(answer: Answer) -> str:
    """The headline: databases that tests may not reach, else the first finding's message, else ""."""
    wrong = [family for family in families(answer) if answer.judged(family[0]) is False]
    if wrong:
        asked = all(answer.is_only_refused(database) for family in wrong for database in family)
        what = "Refused" if asked else "Reached and not allowed"
        return f"{what}: {', '.join(map(describe_family, wrong))}"
    return answer.findings[0].message if answer.findings else ""


def _family(answer: Answer, family: Any) -> dict[str, Any]:
    allowed = answer.judged(family[0])
    return {
        "name": describe_family(family),
        "allowed": allowed,
        "judged": JUDGED[allowed].lower(),
        "kind": family[0].kind,
        "routes": [_route(answer, reaches) for reaches in routes_of(answer, family)[:_ROUTES_AT_MOST]],
    }


def _route(answer: Answer, reaches: list[Reach]) -> dict[str, Any]:
    first = reaches[0]
    tests = list(dict.fromkeys(reach.test for reach in reaches if reach.test is not None))
    more = [f"and {len(tests) - _TESTS_NAMED} more"] if len(tests) > _TESTS_NAMED else []
    named = "\n".join([*tests[:_TESTS_NAMED], *more])
    return {
        "how": first.how,
        "opener": str(first.opener) if first.opener else "no code of the project",
        "chain": ", ".join(f"{frame.file}:{frame.line}" for frame in first.chain[1:4]),
        "tests": named or f"outside tests ({first.phase})",
        "count": sum(reach.count for reach in reaches),
        "refused": first.stopped,
        "engine": describe_engine(answer, first) if first.engine is not None else "",
    }
