"""from-import-early-binding: a test replaces a name, and the application uses a copy that holds the old object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak
from kit.analysis.model import Finding, fact
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.evidence.model import Name
from kit.probes.interventions.copies import RebindCopies

NAME = "from-import-early-binding"


@dataclass(frozen=True, slots=True)
class About:
    """The name that was replaced, and a name bound to the old object; "" when that is a plain copy."""

    module: str
    name: str
    bound: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak: does its engine belong to the object that a name held before a test replaced it?"""
    for leak in case.leaks:
        replaced = _replaced(case, leak)
        if replaced is not None and replaced.held_before is not None:
            yield _finding(case, leak, replaced)


def _finding(case: Case, leak: Leak, replaced: Name) -> Finding[About]:
    holders = _holders(case, replaced)
    used = next((name for name in holders if _is_of_module(name, leak)), holders[0] if holders else None)
    others = [f"{name.module}.{name.name}" for name in holders if name is not used]
    origin = f"{replaced.module}.{replaced.name}"
    return of_leak(
        case,
        leak,
        NAME,
        f"{leak.opener} opened a session on {leak.database.name} through {_describe_binding(used, replaced)}. "
        f"{leak.first.test or 'The tests'} replaced {origin}, but not that."
        + (f" Other copies: {', '.join(others)}." if others else ""),
        leak.opener,
        About(replaced.module, replaced.name, _bound(used, replaced)),
        (fact(case.evidence, replaced, f"{origin} replaced"),),
    )


def _replaced(case: Case, leak: Leak) -> Name | None:
    """The first event in which a test or its fixture replaced the leak's engine under some name."""
    if leak.engine is None:
        return None
    lineage = case.evidence.lineage(leak.first.entry.process)
    return next(
        (
            event
            for event in case.evidence.names
            if event.op == "rebound"
            and event.process in lineage
            and event.test is not None
            and event.test in leak.tests
            and event.stage is None
            and event.held_before is not None
            and event.held_before.engine == leak.engine.engine
            and event.holds is not None
            and event.holds.engine != leak.engine.engine
            and event.holds.object != event.held_before.object
            and not event.module.startswith("app ")
        ),
        None,
    )


def _holders(case: Case, replaced: Name) -> list[Name]:
    """The other names of the replaced object or, if there are none, the names bound to its engine."""
    before = replaced.held_before
    assert before is not None
    found: dict[tuple[str, str], Name] = {}
    for event in case.evidence.names:
        place = event.module, event.name
        if event.holds is None or event.process != replaced.process or place == (replaced.module, replaced.name):
            continue
        if event.holds.object == before.object or (event.holds.engine == before.engine and event.op == "held"):
            found.setdefault(place, event)
    same = [event for event in found.values() if event.holds is not None and event.holds.object == before.object]
    return same or list(found.values())


def _bound(used: Name | None, replaced: Name) -> str:
    """The name whose object is bound to the replaced one's engine; "" for a plain copy."""
    if used is None or used.holds is None or replaced.held_before is None:
        return ""
    return "" if used.holds.object == replaced.held_before.object else f"{used.module}.{used.name}"


def _describe_binding(used: Name | None, replaced: Name) -> str:
    if used is None or used.holds is None or replaced.held_before is None:
        return "a copy of it"
    name = f"{used.module}.{used.name}"
    if _bound(used, replaced):
        return f"{name}, which is bound to what {replaced.module}.{replaced.name} held"
    return f"the name {name} (copied {'when the function was defined' if name.endswith('=)') else 'at import'})"


def _is_of_module(name: Name, leak: Leak) -> bool:
    path = name.module.replace(".", "/")
    return any(frame.file.removesuffix(".py").endswith(path) for frame in leak.first.chain)


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Make the copies follow the name."""
    module, name, bound = finding.about.module, finding.about.name, finding.about.bound
    if module:
        fix = f"Where the tests replace {module}.{name}, replace {bound} too, or bind it again (configure(bind=...))."
        yield proposed_by(finding, RebindCopies(module, name), fix if bound else advice(finding))


def advice(finding: Finding[About]) -> str:
    """Use the name through its module."""
    module, name = finding.about.module, finding.about.name
    return (
        f"Refer to {name} through its module ({module}.{name}) where it is used, not as a copy or a default value, so "
        "that the tests' replacement is used."
    )


KIND = Kind(
    NAME,
    "A copy of a name that the tests replace",
    Explanation(
        what="A test replaces an engine or a session factory in its module, and the application uses a copy of the "
        "name that still holds the old one.",
        comes_about="`from app.database import SessionLocal` copies the name at import, a default argument copies it "
        "when the function is defined, and a session factory keeps the engine that it was bound to.",
        example="""
        from app.database import SessionLocal  # in app.services: a copy

        monkeypatch.setattr("app.database.SessionLocal", TestSession)   # the copy stays as it is
        """,
        proved="A re-run lets the copies follow the name that the tests replace.",
        to_do="Use the name through its module, or replace every copy.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
