"""The way of a test's first request to its database, in each run: what it is given, and whether its query uses that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kit.evidence.model import Dependencies, Evidence, Sighting
from kit.report.chains import Box, Chain, Scene, box_at, chains_drawing, defined_at, server_box, short_name
from kit.report.drawing import Drawing

_NOTE = (
    "Each row is the first request of the test: what its route asks for, what it is given, and the session, the engine "
    "and the server of its query. A crossed arrow means that the query does not use what the route was given."
)


def ways_drawing(runs: Mapping[str, Evidence], test: str) -> Drawing:
    """Draw the first request of `test` in each run; the key of a run is its name."""
    found = {name: _first(evidence, test) for name, evidence in runs.items()}
    unused = [name for name, one in found.items() if one is not None and not _is_used(one)]
    sides = sorted({one.side or "unknown" for one in found.values() if one is not None})
    title = (
        f"In {len(unused)} of {len(runs)} runs the query does not use the session that the route is given. "
        f"Answered by: {', '.join(sides) or 'no server'}."
    )
    return chains_drawing(title, _NOTE, [
        Scene(name, (_chain(runs[name], one),) if one is not None else ()) for name, one in found.items()
    ])


def _first(evidence: Evidence, test: str) -> Sighting | None:
    return next((one for one in evidence.in_requests() if one.use.test == test), None)


def _is_used(sighting: Sighting) -> bool:
    return sighting.dependency is not None


def _chain(evidence: Evidence, sighting: Sighting) -> Chain:
    asked = next((one for one in evidence.dependencies if one.request == sighting.use.request), None)
    given = tuple(_given(evidence, asked)) if asked is not None else ()
    return (*given, *_query(evidence, sighting, bool(given)))


def _given(evidence: Evidence, asked: Dependencies) -> Iterator[Box]:
    known = {one.callable: one for one in evidence.callables}
    for declared, override in asked.supplied_by[:1]:
        name = short_name(known.get(declared))
        yield box_at("the route asks for", name, evidence, defined_at(known.get(declared)))
        if override is None:
            yield Box("it is given", f"{name} itself")
        else:
            replacement = known.get(override)
            text = f"the override {short_name(replacement)}"
            yield box_at("it is given", text, evidence, defined_at(replacement))


def _query(evidence: Evidence, sighting: Sighting, asked: bool) -> Iterator[Box]:
    made = {one.session: evidence.chain(one)[:1] for one in evidence.sessions}
    where = next(iter(made.get(sighting.use.session or "", ())), None)
    unused = asked and not _is_used(sighting)
    link = "" if not asked else "left unused" if unused else "used"
    opened = where or sighting.opener
    text = f"made in {opened.function}" if opened else "made by a library"
    yield box_at("session of the query", text, evidence, opened, link=link, broken=unused)
    if sighting.engine is not None:
        outer = sighting.engine_chain[-1] if len(sighting.engine_chain) > 1 else None
        during = f" by the import of {outer.file}" if outer and outer.function == "<module>" else ""
        source = f" from {sighting.engine.variables[0]}" if sighting.engine.variables else ""
        text = f"engine {sighting.engine.engine}, made{source}{during}"
        yield box_at("its engine", text, evidence, next(iter(sighting.engine_chain), None))
    yield server_box(sighting.side)
