"""What an application did in a run, at its start, in requests and in the background, and which server answered."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kit.evidence.model import Evidence, Sighting
from kit.report.chains import Box, Chain, Scene, box_at, chains_drawing, server_box
from kit.report.drawing import Drawing

_NOTE = (
    "Each row is what the application did at one kind of moment on one server: its statements, the first place, how it "
    "got its session, its engines, and the server that answered."
)
_APPLICATION = "app/"
_IN_A_REQUEST, _BACKGROUND, _START = "in requests", "in the background, after the response", "at the start"
_STAGES = {"lifespan": _START, "background": _BACKGROUND}
_Key = tuple[str, str | None, str]
"""When it ran, the server that answered, and how the session was obtained."""


def work_drawing(runs: Mapping[str, Evidence]) -> Drawing:
    """Draw what the application did in each run, by when it ran; the key of a run is its name."""
    found = {name: _grouped(evidence) for name, evidence in runs.items()}
    title = f"{_reaching(found.values(), asked=False)} {_reaching(found.values(), asked=True)}"
    return chains_drawing(title, _NOTE, [
        Scene(name, tuple(_chain(runs[name], key, uses) for key, uses in groups.items()))
        for name, groups in found.items()
    ])


def when(sighting: Sighting) -> str:
    """When a statement of the application ran, in words; outside requests with the application's function that ran."""
    if sighting.use.stage in _STAGES:
        return _STAGES[sighting.use.stage]
    if sighting.use.request is not None:
        return _IN_A_REQUEST
    called = [frame.function for frame in sighting.chain if frame.file.startswith(_APPLICATION)]
    return _START if called[-1] == "lifespan" else f"outside requests, in {called[-1]}"


def _grouped(evidence: Evidence) -> dict[_Key, list[Sighting]]:
    groups: dict[_Key, list[Sighting]] = {}
    for sighting in evidence.sightings():
        if sighting.opener is not None and sighting.opener.file.startswith(_APPLICATION):
            groups.setdefault((when(sighting), sighting.side, sighting.how), []).append(sighting)
    return groups


def _reaching(runs: Collection[Mapping[_Key, list[Sighting]]], *, asked: bool) -> str:
    """In how many runs production answered, in requests (`asked`) or outside them, and was written to."""
    on_production = [
        [one.use.writes for (moment, side, _), uses in groups.items() for one in uses
         if (moment == _IN_A_REQUEST) is asked and side == "production"]
        for groups in runs
    ]
    reached, written = sum(map(bool, on_production)), sum(map(any, on_production))
    where = "In requests" if asked else "Outside requests"
    return f"{where} production is reached in {reached} of {len(runs)} runs, and written to in {written}."


def _chain(evidence: Evidence, key: _Key, uses: list[Sighting]) -> Chain:
    moment, side, how = key
    opened_by = "lifespan, entered by a fixture" if (moment, how) == (_START, "fixture") else how
    statements = dict.fromkeys(f"{one.use.verb} {', '.join(one.use.tables)}".strip() for one in uses)
    engines = dict.fromkeys(one.engine.engine for one in uses if one.engine is not None)
    lines = {one.opener for one in uses}
    text = ", ".join(filter(None, statements)) or "a statement"
    times = "once" if len(uses) == 1 else f"{len(uses)} times"
    more = f"{times} from {len(lines)} lines, the first" if len(lines) > 1 else times
    return (
        box_at(moment, f"{text}: {more}", evidence, uses[0].opener),
        Box("its session", f"{opened_by}, on engine {', '.join(engines) or 'unknown'}"),
        server_box(side),
    )
