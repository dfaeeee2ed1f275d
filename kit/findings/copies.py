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
        used = next((name for name in holders if _module_of(name, leak)), holders[0] if holders else "a copy")
        others = [name for name in holders if name != used]
        origin = f"{replaced.module}.{replaced.name}"
        yield Finding(
            "from-import-early-binding",
            f"session from {leak.database.name} opened at {leak.opener} through the name {used} (copied at import). "
            f"{origin} was replaced for {leak.first.test or 'the tests'}, {used} was not."
            + (f" Other copies: {', '.join(others)}." if others else ""),
            leak.opener.file if leak.opener else None,
            leak.opener.line if leak.opener else None,
            (fact(case.evidence, replaced, f"{origin} replaced"), *reach_facts(case, leak)),
            (leak.database.id,),
            leak.tests,
            (("module", replaced.module), ("name", replaced.name)),
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
            and not event.module.startswith("app ")
        ),
        None,
    )


def _holders(case: Case, replaced: Name) -> list[str]:
    """The other names of the very object that was replaced."""
    assert replaced.held_before is not None
    return list(
        dict.fromkeys(
            f"{event.module}.{event.name}"
            for event in case.evidence.names
            if event.holds is not None
            and event.holds.object == replaced.held_before.object
            and (event.module, event.name) != (replaced.module, replaced.name)
        )
    )


def _module_of(name: str, leak: Leak) -> bool:
    module = name.rpartition(".")[0].replace(".", "/")
    return any(frame.file.removesuffix(".py").endswith(module) for frame in leak.first.chain)
