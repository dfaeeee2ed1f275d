"""The events through which a test reached its database, ordered by time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kit.evidence.model import Entry, Evidence, Frame, Sighting

Lane = Literal[
    "variable", "engine", "override", "request", "test", "production", "unknown", "allowed", "not allowed", "not judged"
]

LANES: tuple[Lane, ...] = ("variable", "engine", "override", "request", "test", "production")


@dataclass(frozen=True, slots=True)
class Step:
    """One event: its time, its lane, what happened, the line that did it, and the server it leads to.

    `side` is the lane of the server or database that the step is about or leads to; None if it is about none.
    """

    at_s: float
    lane: Lane
    text: str
    where: Frame | None
    side: str | None


def steps(evidence: Evidence, test: str) -> tuple[Step, ...]:
    """Return the steps of one test, including earlier ones that made its engines and variables."""
    sightings = [sighting for sighting in evidence.sightings() if sighting.use.test == test]
    found = [
        *_engines(evidence, sightings),
        *_variables(evidence, sightings),
        *_overrides(evidence, test),
        *_requests(evidence, test),
        *_uses(sightings),
    ]
    return tuple(sorted(found, key=lambda step: step.at_s))


def _engines(evidence: Evidence, sightings: list[Sighting]) -> Iterator[Step]:
    sides = {sighting.engine: sighting.side for sighting in sightings if sighting.engine is not None}
    for engine, side in sides.items():
        leads_to = f"engine made; it leads to {side}" if side else "engine made"
        yield Step(engine.at_s, "engine", leads_to, _first(evidence, engine), side)


def _variables(evidence: Evidence, sightings: list[Sighting]) -> Iterator[Step]:
    """The variable that gave an engine its URL: its last write and, if the engine served a request, its last read."""
    for name, sighting in _leading(sightings).items():
        made_at_s = sighting.engine.at_s if sighting.engine is not None else 0.0
        events = [event for event in evidence.variables if event.name == name and event.at_s <= made_at_s]
        written = [event for event in events if event.op in ("inherited", "set") and not event.same]
        read = [event for event in events if event.op == "read" and sighting.use.request is not None]
        for event in written[-1:]:
            verb = "was there at the start" if event.op == "inherited" else "set"
            yield Step(event.at_s, "variable", f"{name} {verb}", _first(evidence, event), sighting.side)
        for event in read[-1:]:
            yield Step(event.at_s, "variable", f"{name} read", _first(evidence, event), sighting.side)


def _leading(sightings: list[Sighting]) -> dict[str, Sighting]:
    """The variables that led to an engine, each with a sighting of that engine, preferably in a request."""
    leading: dict[str, Sighting] = {}
    for sighting in sightings:
        if sighting.engine is not None and sighting.engine.variables:
            name = sighting.engine.variables[0]
            if name not in leading or leading[name].use.request is None:
                leading[name] = sighting
    return leading


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
