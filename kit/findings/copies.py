"""Did a test replace a name, while somebody else held a copy of what it stood for?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import Name
from kit.findings.case import Case, Leak, reach_facts
from kit.findings.model import Finding, fact


def ask(case: Case) -> Iterator[Finding]:
    """For each leak: does its engine belong to what a name held before the test replaced it?"""
    for leak in case.leaks:
        replaced = _replaced(case, leak)
        if replaced is None or replaced.held_before is None:
            continue
        holders = _holders(case, replaced)
        used = next((name for name in holders if _is_of_module(name, leak)), holders[0] if holders else None)
        others = [f"{name.module}.{name.name}" for name in holders if name is not used]
        origin = f"{replaced.module}.{replaced.name}"
        yield Finding(
            "from-import-early-binding",
            f"session from {leak.database.name} opened at {leak.opener} through {_said(used, replaced)}. "
            f"{origin} was replaced for {leak.first.test or 'the tests'}, that was not."
            + (f" Other copies: {', '.join(others)}." if others else ""),
            leak.opener.file if leak.opener else None,
            leak.opener.line if leak.opener else None,
            (fact(case.evidence, replaced, f"{origin} replaced"), *reach_facts(case, leak)),
            (leak.database.id,),
            leak.tests,
            (("module", replaced.module), ("name", replaced.name), ("bound", _bound(used, replaced))),
        )


def _replaced(case: Case, leak: Leak) -> Name | None:
    """The name that stood for the leak's engine until a test, or what it asked for, put something else there."""
    if leak.engine is None:
        return None
    return next(
        (
            event
            for event in case.evidence.names
            if event.op == "rebound"
            and event.process == leak.first.entry.process
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
    """The other names of the very object that was replaced; where there are none, what is bound to its engine."""
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
    """The name that holds another object, which is bound to the one that was replaced; "" where it is a copy."""
    if used is None or used.holds is None or replaced.held_before is None:
        return ""
    return "" if used.holds.object == replaced.held_before.object else f"{used.module}.{used.name}"


def _said(used: Name | None, replaced: Name) -> str:
    if used is None or used.holds is None or replaced.held_before is None:
        return "a copy of it"
    name = f"{used.module}.{used.name}"
    if _bound(used, replaced):
        return f"{name}, which is bound to what {replaced.module}.{replaced.name} held"
    return f"the name {name} (copied {'when the function was defined' if name.endswith('=)') else 'at import'})"


def _is_of_module(name: Name, leak: Leak) -> bool:
    path = name.module.replace(".", "/")
    return any(frame.file.removesuffix(".py").endswith(path) for frame in leak.first.chain)
