"""The applications of a run, one inside the other: which holds the override, and which one a request asks."""

from __future__ import annotations

from collections.abc import Mapping

from kit.evidence.model import Dependencies, Evidence, Override, Request
from kit.report.chains import Box, Chain, Scene, box_at, chains_drawing, server_box, short_name
from kit.report.drawing import Drawing

_NOTE = (
    "Each row is a project at its first request. An application that is drawn inside another one is mounted in it; an "
    "override is written in the application on which it was set. A crossed arrow means that the route does not get it."
)


def apps_drawing(runs: Mapping[str, Evidence]) -> Drawing:
    """Draw the applications, the overrides and the first request of each run; the key of a run is its name."""
    asked = {name: next(iter(evidence.dependencies), None) for name, evidence in runs.items()}
    met = [name for name, one in asked.items() if one is not None and one.supplied_by and one.supplied_by[0][1]]
    title = f"In {len(met)} of {len(runs)} projects the route is given the override: {', '.join(met) or 'none'}."
    return chains_drawing(title, _NOTE, [
        Scene(name, (_chain(runs[name], one),) if one is not None else ()) for name, one in asked.items()
    ])


def _chain(evidence: Evidence, asked: Dependencies) -> Chain:
    held = [one for one in evidence.overrides if one.op == "set" and one.at_s < asked.at_s]
    request = next((one for one in evidence.requests if one.number == asked.request), None)
    served = _nested(evidence, request)
    others = [one.app for one in held if one.app is not None and one.app not in served]
    apps = [
        _app(evidence, served, held, serves=True),
        *(_app(evidence, [name], held, serves=False) for name in dict.fromkeys(others)),
    ]
    path = f"{request.method} {request.path}" if request is not None else "a request"
    side = next((one.side for one in evidence.in_requests() if one.use.request == asked.request), None)
    beside = Box("applications", "side by side", inside=tuple(apps)) if len(apps) > 1 else apps[0]
    return (Box("the request", path), beside, _asks(evidence, asked), server_box(side))


def _nested(evidence: Evidence, request: Request | None) -> list[str]:
    """The applications that a request went through, the outermost first."""
    requests = {one.number: one for one in evidence.requests}
    found: list[str] = []
    while request is not None and len(found) < len(requests):
        found.insert(0, request.app or "an unknown application")
        request = requests.get(request.within or "")
    return found or ["no application"]


def _app(evidence: Evidence, names: list[str], held: list[Override], *, serves: bool) -> Box:
    """The first of these applications, with the others inside it; the innermost `serves` the request, or does not."""
    name, *inner = names
    known = {one.callable: one for one in evidence.callables}
    keys = [known[one.key].name if one.key in known else one.key for one in held if one.app == name]
    made = next((one for one in evidence.apps if one.app == name), None)
    where = next(iter(evidence.chain(made)), None) if made is not None else None
    text = f"override of {', '.join(dict.fromkeys(keys))}" if keys else "no override"
    box = box_at(f"app {name}{', serves the request' if serves and not inner else ''}", text, evidence, where)
    inside = (_app(evidence, inner, held, serves=serves),) if inner else ()
    return Box(box.label, box.text, box.place, box.code, inside=inside)


def _asks(evidence: Evidence, asked: Dependencies) -> Box:
    known = {one.callable: one for one in evidence.callables}
    declared, override = asked.supplied_by[0] if asked.supplied_by else ("", None)
    name = known[declared].name if declared in known else declared
    whom = f"asks app {asked.provider} for {name}" if asked.consulted and asked.provider else f"asks no app for {name}"
    link = "override met" if override else "override missed"
    given = f"the override {short_name(known.get(override))}" if override else "the function itself"
    return Box(f"the route {whom}", f"and is given {given}", link=link, broken=not override)
