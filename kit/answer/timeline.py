"""The events of a run that matter for one test, or for the first leak, ordered by time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from kit.analysis.case import case_of
from kit.analysis.model import first
from kit.analysis.reach import Reach
from kit.analysis.url_source import source_of
from kit.answer.model import Answer
from kit.evidence.model import Engine, Entry, Evidence, Frame

_STEPS_AT_MOST = 60

Lane = Literal["variable", "engine", "override", "request", "database"]


@dataclass(frozen=True, slots=True)
class Step:
    """One event: when, in which lane, what, at which line, and in which phase.

    `allowed` is whether a database may be reached; None without an allow-list, and in other lanes. `engine` is the
    engine that was made, or that led to the database; `uses` are the engines that a request used, or what reached a
    database outside requests.
    """

    at_s: float
    lane: Lane
    what: str
    where: Frame | None
    phase: str
    allowed: bool | None = None
    engine: str = ""
    uses: tuple[str, ...] = ()


def subject(answer: Answer) -> Reach | None:
    """The reach that the timeline is about: the first leak that writes, else the first, else a test's first reach."""
    leaks = case_of(answer.evidence, answer.reached, answer.allowed).leaks
    written = (reach for leak in leaks for reach in leak.reaches if reach.writes)
    if leaks:
        return next(written, leaks[0].first)
    return next((reach for reach in answer.reached if reach.test is not None), None)


def timeline(answer: Answer, about: Reach | None) -> tuple[Step, ...]:
    """The steps that led to one reach, and the other reaches of its test."""
    if about is None:
        return ()
    reaches = [reach for reach in answer.reached if reach is about or (about.test and reach.test == about.test)]
    engines = {reach.engine.engine: reach.engine for reach in reaches if reach.engine is not None}
    steps = [
        *(step for engine in engines.values() for step in _engine(answer.evidence, engine)),
        *_overrides(answer.evidence, about),
        *_requests(answer.evidence, about),
        *(_reach(answer, reach) for reach in reaches),
    ]
    ordered = sorted(dict.fromkeys(steps), key=lambda step: step.at_s)
    return tuple(ordered[-_STEPS_AT_MOST:])


def _engine(evidence: Evidence, engine: Engine) -> Iterator[Step]:
    source = source_of(evidence, engine)
    for event in filter(None, (source.written, source.read)):
        verb = "was there at the start" if event.op == "inherited" else f"was {event.op}"
        yield _step(evidence, event, "variable", f"{event.name} {verb}: {event.value}")
    made = _step(evidence, engine, "engine", f"engine {engine.engine} made for {engine.url}")
    yield replace(made, engine=engine.engine)
    for event in source.since[:1]:
        verb = "set" if event.op == "set" else "removed"
        yield _step(evidence, event, "variable", f"{event.name} {verb}, too late for engine {engine.engine}")


def _overrides(evidence: Evidence, about: Reach) -> Iterator[Step]:
    names = {known.callable: known.name for known in evidence.callables}
    wanted = about.dependency.callable if about.dependency is not None else None
    for change in evidence.overrides:
        mine = change.test == about.test or wanted in (None, change.key)
        if mine and change.process == about.entry.process and change.at_s <= about.entry.at_s:
            by = f" to {names.get(change.by, change.by)}" if change.by else ""
            yield _step(
                evidence, change, "override", f"override of {names.get(change.key, change.key)} {change.op}{by}"
            )


def _requests(evidence: Evidence, about: Reach) -> Iterator[Step]:
    for request in evidence.requests:
        if about.test and request.test == about.test:
            said = f"{request.method} {request.path}".strip() if request.type == "http" else request.type
            step = _step(evidence, request, "request", f"{said} served by app {request.app}")
            uses = (use.engine for use in evidence.uses if use.request == request.number and use.engine is not None)
            yield replace(step, uses=tuple(dict.fromkeys(uses)))


def _reach(answer: Answer, reach: Reach) -> Step:
    engine = reach.engine.engine if reach.engine is not None else ""
    on = f" on engine {engine}" if engine else ""
    in_request = any(request.number == reach.entry.request for request in answer.evidence.requests)
    return Step(
        reach.entry.at_s,
        "database",
        f"{reach.database.name} answers ({reach.how}){on}",
        reach.opener,
        reach.phase,
        answer.judged(reach.database),
        engine,
        (engine,) if engine and not in_request else (),
    )


def _step(evidence: Evidence, entry: Entry, lane: Lane, what: str) -> Step:
    return Step(entry.at_s, lane, what, first(evidence.chain(entry)), entry.phase)
