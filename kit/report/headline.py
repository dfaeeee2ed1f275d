"""The sentence that says what a timeline shows: which test reached which database, and by which way. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kit.analysis.model import first
from kit.analysis.reach import Reach
from kit.analysis.url_source import source_of
from kit.answer.model import Answer
from kit.answer.timeline import Step
from kit.report.panel import place_of

_JUDGED = {True: ", which is allowed", False: ", which is not allowed", None: ""}


def headline(answer: Answer, about: Reach, steps: Sequence[Step]) -> str:
    """Say what a reach did, and the way there in the order of cause; the database has the name that the steps give."""
    named = {step.named.whole: step.named.name for step in steps if step.named is not None}
    name = named.get(about.database.name, about.database.name)
    who = about.test.rpartition("::")[2] if about.test else f"Code outside the tests ({about.phase})"
    verb = "asks for" if about.stopped else "writes to" if about.writes else "reaches"
    refused = ", and is refused" if about.stopped else ""
    return f"{who} {verb} {name}{_JUDGED[answer.judged(about.database)]}{refused}: {' → '.join(_way(answer, about))}."


def _way(answer: Answer, about: Reach) -> Iterator[str]:
    """What led there: the variable, the engine, the request, and the line that opened the database."""
    evidence, engine = answer.evidence, about.engine
    if engine is not None:
        source = source_of(evidence, engine)
        if source.kind == "variable":
            yield str(source.variable)
        made = first(evidence.chain(engine))
        yield f"engine {engine.engine}" + (f" ({place_of(made)})" if made else "")
    for request in evidence.requests:
        if request.number == about.entry.request:
            yield f"{request.method} {request.path}".strip() if request.type == "http" else request.type
    yield f"{place_of(about.opener)} ({about.how})" if about.opener else about.how
