"""The events of a run that matter for one test, or for the first leak, ordered by time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from kit.analysis.case import case_of
from kit.analysis.model import first
from kit.analysis.reach import Reach
from kit.analysis.url_source import source_of
from kit.answer.model import Answer
from kit.answer.naming import Named, Names, names, shortest_suffixes
from kit.evidence.model import Engine, Entry, Evidence, Frame, Override

_STEPS_AT_MOST = 60
_JUDGED = {True: " (allowed)", False: " (not allowed)", None: ""}

Lane = Literal["variable", "engine", "override", "request", "database"]


@dataclass(frozen=True, slots=True)
class Step:
    """One event: when, in which lane, what, at which line, and in which phase.

    `what` is the whole sentence, with URLs; `said` the same in a few words, without the URL of the database `named`.
    `allowed` is whether a database may be reached, of a request the one that it reached; None without an allow-list,
    for several with different judgements, and in other lanes. `engine` is the engine that was made, or that led to the
    database; `uses` are the engines that a request used, or what reached a database outside requests.
    """

    at_s: float
    lane: Lane
    what: str
    where: Frame | None
    phase: str
    said: str = ""
    named: Named | None = None
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


def is_of_a_leak(answer: Answer, about: Reach) -> bool:
    """Whether a reach is one of a wrong database, and not only a test's first."""
    leaks = case_of(answer.evidence, answer.reached, answer.allowed).leaks
    return any(about in leak.reaches for leak in leaks)


def timeline(answer: Answer, about: Reach | None) -> tuple[Step, ...]:
    """The steps that led to one reach, and the other reaches of its test."""
    if about is None:
        return ()
    reaches = [reach for reach in answer.reached if reach is about or (about.test and reach.test == about.test)]
    engines = [*{reach.engine.engine: reach.engine for reach in reaches if reach.engine is not None}.values()]
    known = names(answer, reaches, _values(answer.evidence, engines))
    steps = [
        *(step for engine in engines for step in _engine(answer.evidence, known, engine)),
        *_overrides(answer.evidence, about),
        *_requests(answer, reaches, about),
        *(_reach(answer, known, reach) for reach in reaches),
    ]
    ordered = sorted(dict.fromkeys(steps), key=lambda step: step.at_s)
    return tuple(ordered[-_STEPS_AT_MOST:])


def _values(evidence: Evidence, engines: Iterable[Engine]) -> Iterator[str]:
    """What names a database in the steps of these engines."""
    for engine in engines:
        source = source_of(evidence, engine)
        events = (source.written, source.read, *source.since[:1])
        yield from (event.value for event in events if event is not None and event.value)
        yield engine.url


def _engine(evidence: Evidence, known: Names, engine: Engine) -> Iterator[Step]:
    source = source_of(evidence, engine)
    for event in filter(None, (source.written, source.read)):
        verb = "was there at the start" if event.op == "inherited" else f"was {event.op}"
        step = _step(evidence, event, "variable", f"{event.name} {verb}: {event.value}")
        yield _naming(step, known, f"{event.name} {verb}", event.value)
    made = _step(evidence, engine, "engine", f"engine {engine.engine} made for {engine.url}")
    by = f" from {source.variable}" if source.kind == "variable" else ""
    yield replace(_naming(made, known, f"engine {engine.engine} made{by}", engine.url), engine=engine.engine)
    for event in source.since[:1]:
        verb = "set" if event.op == "set" else "removed"
        late = f"{event.name} {verb}, too late for engine {engine.engine}"
        step = _step(evidence, event, "variable", f"{late}: {event.value}" if event.value else late)
        yield _naming(step, known, late, event.value)


def _naming(step: Step, known: Names, said: str, value: str | None) -> Step:
    """A step with its few words, and the database that a value names; a value that names none is in the words."""
    named = known.of(value)
    return replace(step, said=said if named or not value else f"{said}: {value}", named=named)


def _overrides(evidence: Evidence, about: Reach) -> Iterator[Step]:
    names_of = {known.callable: known.name for known in evidence.callables}
    changes = [*_changes(evidence, about)]
    mentioned = [names_of.get(one, one) for change in changes for one in (change.key, change.by) if one]
    short = shortest_suffixes(mentioned)
    several = _has_several_apps(evidence)
    for change in changes:
        key, by = (names_of.get(one, one) if one else "" for one in (change.key, change.by))
        what = f"override of {key} {change.op}" + (f" to {by}" if by else "")
        said = f"override of {short[key]} {change.op}" + (f" to {short[by]}" if by else "")
        on = f" on app {change.app}" if several and change.app else ""
        yield replace(_step(evidence, change, "override", f"{what}{on}"), said=f"{said}{on}")


def _changes(evidence: Evidence, about: Reach) -> Iterator[Override]:
    """The changes of overrides before a reach that concern it, without those that another test made and took back."""
    wanted = about.dependency.callable if about.dependency is not None else None
    before = [
        change for change in evidence.overrides
        if change.process == about.entry.process and change.at_s <= about.entry.at_s
        and (change.test == about.test or wanted in (None, change.key))
    ]
    own: dict[tuple[str | None, str | None, str], list[str]] = {}
    for change in before:
        own.setdefault((change.test, change.app, change.key), []).append(change.op)
    back = {one for one, ops in own.items() if one[0] not in (None, about.test)
            and (ops[0], ops[-1]) == ("set", "removed")}
    return (change for change in before if (change.test, change.app, change.key) not in back)


def _has_several_apps(evidence: Evidence) -> bool:
    """Whether a request or an override has to say of which application it is."""
    apps = {request.app for request in evidence.requests} | {change.app for change in evidence.overrides}
    return len(apps - {None}) > 1


def _requests(answer: Answer, reaches: Iterable[Reach], about: Reach) -> Iterator[Step]:
    evidence = answer.evidence
    judged: dict[str | None, set[bool | None]] = {}
    for reach in reaches:
        judged.setdefault(reach.entry.request, set()).add(answer.judged(reach.database))
    several = _has_several_apps(evidence)
    for request in evidence.requests:
        if about.test and request.test == about.test:
            asked = f"{request.method} {request.path}".strip() if request.type == "http" else request.type
            step = _step(evidence, request, "request", f"{asked} served by app {request.app}")
            uses = (use.engine for use in evidence.uses if use.request == request.number and use.engine is not None)
            allowed = judged.get(request.number, set())
            yield replace(
                step, said=f"{asked} to app {request.app}" if several else asked, uses=tuple(dict.fromkeys(uses)),
                allowed=next(iter(allowed)) if len(allowed) == 1 else None,
            )


def _reach(answer: Answer, known: Names, reach: Reach) -> Step:
    engine = reach.engine.engine if reach.engine is not None else ""
    on = f" on engine {engine}" if engine else ""
    verb = "refused" if reach.stopped else "answers"
    in_request = any(request.number == reach.entry.request for request in answer.evidence.requests)
    named = known.by_id[reach.database.id]
    return Step(
        reach.entry.at_s,
        "database",
        f"{reach.database.name} {verb} ({reach.how}){on}",
        reach.opener,
        reach.phase,
        f"{named.name} {verb}{_JUDGED[named.allowed]}, {reach.how}" + (f",{on}" if on else ""),
        named,
        answer.judged(reach.database),
        engine,
        (engine,) if engine and not in_request else (),
    )


def _step(evidence: Evidence, entry: Entry, lane: Lane, what: str) -> Step:
    return Step(entry.at_s, lane, what, first(evidence.chain(entry)), entry.phase, what)
