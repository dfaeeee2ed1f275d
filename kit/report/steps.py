"""The events through which a test reached its database, ordered by time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kit.evidence.model import Engine, Entry, Evidence, Frame, Sighting

Lane = Literal[
    "variable", "engine", "override", "request", "test", "production", "unknown", "allowed", "not allowed", "not judged"
]

LANES: tuple[Lane, ...] = ("variable", "engine", "override", "request", "test", "production")


@dataclass(frozen=True, slots=True)
class Step:
    """One event: its time, its lane, what happened, the line that did it, and the server it leads to.

    `side` is the lane of the server, or of the database, that the step is about or leads to; None where it is about
    none, or where that is not known. `source` is the variable that an engine's URL came from.
    """

    at_s: float
    lane: Lane
    text: str
    where: Frame | None
    side: str | None
    source: str = ""


Place = tuple[str, str]
"""A file and the function in it: the same piece of code also where a change has moved its lines."""


def steps(evidence: Evidence, test: str, also: frozenset[Place] = frozenset()) -> tuple[Step, ...]:
    """Return the steps of one test, with those before any test that made its engines and its variables.

    Engines that were made at a place of `also` are told like those that served a request of the test.
    """
    sightings = [sighting for sighting in evidence.sightings() if sighting.use.test == test]
    told = _engine_uses(evidence, test, sightings, also)
    found = [
        *_engines(evidence, told),
        *_variables(evidence, told),
        *_overrides(evidence, test),
        *_requests(evidence, test),
        *_uses(sightings),
    ]
    return tuple(sorted(found, key=lambda step: step.at_s))


def steps_of_both(one: Evidence, other: Evidence, test: str) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Return the steps of one test in two runs. An engine that served requests in one run is included in both."""
    return steps(one, test, _serving(other, test)), steps(other, test, _serving(one, test))


@dataclass(frozen=True, slots=True)
class _EngineUse:
    """An included engine, its server (None if unused or unknown), and whether it was used, and served a request."""

    engine: Engine
    side: str | None
    used: bool
    served: bool


def _engine_uses(evidence: Evidence, test: str, sightings: list[Sighting], also: frozenset[Place]) -> list[_EngineUse]:
    """The included engines, those that served a request first; without engines that another test made for itself."""
    used = {sighting.engine: sighting.side for sighting in sightings if sighting.engine is not None}
    served = {sighting.engine for sighting in sightings if sighting.use.request is not None}
    likewise = {one for one in evidence.engines if one.test in (None, test) and _place(evidence, one) in also}
    told = [
        _EngineUse(engine, used.get(engine), engine in used, engine in served or engine in likewise)
        for engine in evidence.engines if engine in used or engine in likewise
    ]
    return sorted(told, key=lambda one: not one.served)


def _serving(evidence: Evidence, test: str) -> frozenset[Place]:
    """The locations of the engines that served requests of a test."""
    serving = (one for one in evidence.in_requests() if one.use.test == test and one.engine is not None)
    places = (_place(evidence, sighting.engine) for sighting in serving if sighting.engine is not None)
    return frozenset(place for place in places if place is not None)


def _place(evidence: Evidence, entry: Entry) -> Place | None:
    frame = _first(evidence, entry)
    return (frame.file, frame.function) if frame is not None else None


def _engines(evidence: Evidence, told: list[_EngineUse]) -> Iterator[Step]:
    for one in told:
        leads_to = f"; it leads to {one.side}" if one.side else "" if one.used else "; this test does not use it"
        source = (one.engine.variables or ("",))[0]
        where = _first(evidence, one.engine)
        yield Step(one.engine.at_s, "engine", f"engine made{leads_to}", where, one.side, source)


def _variables(evidence: Evidence, told: list[_EngineUse]) -> Iterator[Step]:
    """The variable of each engine's URL: its last write, and its last read if the engine served a request."""
    seen = set()
    for one in told:
        for name in (one.engine.variables or ())[:1]:
            events = [event for event in evidence.variables if event.name == name and event.at_s <= one.engine.at_s]
            written = [event for event in events if event.op in ("inherited", "set") and not event.same]
            read = [event for event in events if event.op == "read" and one.served]
            for event in (*written[-1:], *read[-1:]):
                if event not in seen:
                    seen.add(event)
                    verb = "was there at the start" if event.op == "inherited" else event.op
                    yield Step(event.at_s, "variable", f"{name} {verb}", _first(evidence, event), one.side)


def _overrides(evidence: Evidence, test: str) -> Iterator[Step]:
    names = {known.callable: known.name.rpartition(".")[2] for known in evidence.callables}
    for change in evidence.overrides:
        if change.test == test and change.op != "removed":
            text = f"override of {names.get(change.key, change.key)} {change.op}"
            yield Step(change.at_s, "override", text, _first(evidence, change), "test")


def _requests(evidence: Evidence, test: str) -> Iterator[Step]:
    for request in evidence.requests:
        if request.test == test:
            text = f"{request.method} {request.path}" if request.type == "http" else request.type
            text += " comes to a mounted app" if request.within is not None else ""
            yield Step(request.at_s, "request", text, _first(evidence, request), None)


def _uses(sightings: list[Sighting]) -> Iterator[Step]:
    """The first use of each connection in each request or fixture: which server answered."""
    seen = set()
    for sighting in sightings:
        key = (sighting.use.connection, sighting.use.request)
        if key not in seen:
            seen.add(key)
            lane: Lane = "unknown" if sighting.side is None else "test" if sighting.side == "test" else "production"
            text = f"{sighting.side or 'an unknown server'} answers, {sighting.how}"
            yield Step(sighting.use.at_s, lane, text, sighting.opener, sighting.side)


def _first(evidence: Evidence, entry: Entry) -> Frame | None:
    chain = evidence.chain(entry)
    return chain[0] if chain else None
