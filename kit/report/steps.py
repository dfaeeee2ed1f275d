"""The events through which a test reached its database, ordered by time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kit.evidence.model import Engine, Entry, Evidence, Frame, Sighting, Variable
from kit.probes.allow import place_of

Lane = Literal[
    "variable", "engine", "override", "request", "test", "production", "unknown", "allowed", "not allowed", "not judged"
]

SERVERS = {"test": "the test server", "production": "production"}


@dataclass(frozen=True, slots=True)
class Step:
    """One event: its time, its lane, what happened, the line that did it, and the server it is about.

    `side` is the server that answered; for an engine and a request the one that answered its queries of this test last,
    for a variable the one whose address its URL has. None where there is none, or where that is not known.

    `engine` is the engine that was made, or on which a query ran; `source` the variable that its URL came from. `uses`
    are the engines from which an arrow leads here: those that a request used, or a query outside requests.
    """

    at_s: float
    lane: Lane
    text: str
    where: Frame | None
    side: str | None
    source: str = ""
    engine: str = ""
    uses: tuple[str, ...] = ()


def described(step: Step) -> str:
    """The whole text of a step: an engine with its name and its variable, a variable with the server that it names."""
    if step.lane == "engine":
        made = f"engine {step.engine} made" + (f" from {step.source}" if step.source else "")
        return step.text.replace("engine made", made, 1)
    if step.lane == "variable":
        return f"{step.text}, its URL names {_server(step.side)}" if step.side else step.text
    return f"{step.text}, on engine {step.engine}" if step.engine else step.text


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
        *_variables(evidence, test, told),
        *_overrides(evidence, test),
        *_requests(evidence, test, sightings),
        *_uses(evidence, sightings),
    ]
    return tuple(sorted(found, key=lambda step: step.at_s))


def steps_of_both(one: Evidence, other: Evidence, test: str) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Return the steps of one test in two runs. An engine that served requests in one run is included in both."""
    return steps(one, test, _serving(other, test)), steps(other, test, _serving(one, test))


@dataclass(frozen=True, slots=True)
class _EngineUse:
    """An included engine, the servers that answered (None if unknown), and whether it served a request."""

    engine: Engine
    sides: tuple[str | None, ...]
    served: bool


def _engine_uses(evidence: Evidence, test: str, sightings: list[Sighting], also: frozenset[Place]) -> list[_EngineUse]:
    """The included engines, those that served a request first; without engines that another test made for itself."""
    used: dict[Engine, list[str | None]] = {}
    for sighting in sightings:
        if sighting.engine is not None:
            used.setdefault(sighting.engine, []).append(sighting.side)
    served = {sighting.engine for sighting in sightings if sighting.use.request is not None}
    likewise = {one for one in evidence.engines if one.test in (None, test) and _place(evidence, one) in also}
    told = [
        _EngineUse(engine, tuple(dict.fromkeys(used.get(engine, ()))), engine in served or engine in likewise)
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
        known = [side for side in one.sides if side]
        leads_to = "" if one.sides else "; this test does not use it"
        if known:
            leads_to = f"; it leads to {' and '.join(map(_server, known))}"
        source = (one.engine.variables or ("",))[0]
        where = _first(evidence, one.engine)
        side = known[-1] if known else None
        yield Step(one.engine.at_s, "engine", f"engine made{leads_to}", where, side, source, one.engine.engine)


def _variables(evidence: Evidence, test: str, told: list[_EngineUse]) -> Iterator[Step]:
    """The variable of each engine's URL: its last write and read before the engine, and what wrote it after that.

    The read is left out if the engine served no request. Writes after the test, and those of other tests, are not told.
    """
    servers = _servers(evidence)
    end_s = max((use.at_s for use in evidence.uses if use.test == test), default=0.0)
    seen = set()
    for one in told:
        for name in (one.engine.variables or ())[:1]:
            events = [event for event in evidence.variables if event.name == name]
            before = [event for event in events if event.at_s <= one.engine.at_s]
            written = [event for event in before if event.op in ("inherited", "set") and not event.same]
            read = [event for event in before if event.op == "read" and one.served]
            after = [event for event in events if one.engine.at_s < event.at_s <= end_s and _rewrites(event, test)]
            for event in (*written[-1:], *read[-1:], *after):
                if event not in seen:
                    seen.add(event)
                    verb = "was there at the start" if event.op == "inherited" else event.op
                    side = servers.get(_address(event.value)) if event.value and event.op != "read" else None
                    yield Step(event.at_s, "variable", f"{name} {verb}", _first(evidence, event), side)


def _rewrites(event: Variable, test: str) -> bool:
    """Whether an event changes a variable for a test: in no other test, or in a fixture that is kept for several."""
    mine = event.test in (None, test) or event.scope not in (None, "function")
    return mine and event.op in ("set", "removed") and not event.same


def _servers(evidence: Evidence) -> dict[tuple[str, str], str | None]:
    """{(host, port): the side whose server answered there}; None where two did, or an unknown one."""
    found: dict[tuple[str, str], str | None] = {}
    for connection in evidence.connections:
        address, side = _address(connection.configured), evidence.side(connection)
        found[address] = side if found.get(address, side) == side else None
    return found


def _address(url: str) -> tuple[str, str]:
    place = place_of(url)
    return place.host, place.port


def _overrides(evidence: Evidence, test: str) -> Iterator[Step]:
    names = {known.callable: known.name.rpartition(".")[2] for known in evidence.callables}
    for change in evidence.overrides:
        if change.test == test and change.op != "removed":
            text = f"override of {names.get(change.key, change.key)} {change.op}"
            yield Step(change.at_s, "override", text, _first(evidence, change), None)


def _requests(evidence: Evidence, test: str, sightings: list[Sighting]) -> Iterator[Step]:
    engines: dict[str | None, dict[str, None]] = {}
    sides: dict[str | None, str | None] = {}
    for sighting in sightings:
        sides[sighting.use.request] = sighting.side
        if sighting.engine is not None:
            engines.setdefault(sighting.use.request, {})[sighting.engine.engine] = None
    for request in evidence.requests:
        if request.test == test:
            text = f"{request.method} {request.path}" if request.type == "http" else request.type
            text += " comes to a mounted app" if request.within is not None else ""
            used, side = tuple(engines.get(request.number, ())), sides.get(request.number)
            yield Step(request.at_s, "request", text, _first(evidence, request), side, uses=used)


def _uses(evidence: Evidence, sightings: list[Sighting]) -> Iterator[Step]:
    """The first use of each connection in each request or fixture: which server answered."""
    requests = {request.number for request in evidence.requests}
    seen = set()
    for sighting in sightings:
        key = (sighting.use.connection, sighting.use.request)
        if key not in seen:
            seen.add(key)
            lane: Lane = "unknown" if sighting.side is None else "test" if sighting.side == "test" else "production"
            text = f"{_server(sighting.side)} answers, {sighting.how}{_opened_elsewhere(sighting)}"
            engine = sighting.engine.engine if sighting.engine is not None else ""
            uses = (engine,) if engine and sighting.use.request not in requests else ()
            yield Step(sighting.use.at_s, lane, text, sighting.opener, sighting.side, engine=engine, uses=uses)


def _opened_elsewhere(sighting: Sighting) -> str:
    """Where the connection was opened, if a fixture or another test had done that before."""
    use, opened = sighting.use, sighting.connection
    if (opened.test, opened.fixture) == (use.test, use.fixture) or (opened.test, opened.fixture) == (use.test, None):
        return ""
    return f", on a connection opened in {opened.fixture or (opened.test or opened.phase).rpartition('::')[2]}"


def _server(side: str | None) -> str:
    return SERVERS.get(side or "", side or "an unknown server")


def _first(evidence: Evidence, entry: Entry) -> Frame | None:
    chain = evidence.chain(entry)
    return chain[0] if chain else None
