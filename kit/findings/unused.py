"""Do the tests make an engine of their own that nothing uses, while the application's answers?"""

from __future__ import annotations

from kit.evidence import Engine, Frame
from kit.findings.case import Case, Leak, reach_facts, within
from kit.findings.model import Finding, fact, first, place
from kit.findings.themselves import by_tests
from kit.probes.places import place as place_in


def not_used(case: Case, leak: Leak) -> Finding | None:
    """An engine of the tests leads elsewhere than a leak, was there in time, and nobody ever connected with it."""
    ours = _of_tests(case, leak)
    if ours is None or leak.engine is None or by_tests(case, leak):
        return None
    evidence, override = case.evidence, leak.first.override
    made, instead = first(evidence.chain(ours)), first(evidence.chain(leak.engine))
    assert made is not None
    at: Frame | None = leak.opener if override is not None else made
    who = (
        f"the override {override.name} ({leak.opener}) itself opens"
        if override is not None
        else f"{case.leads(leak.first.chain[:4]) or 'the application'} opens"
    )
    return Finding(
        "engine-not-used",
        f"{leak.database.name} answered {within(leak.tests)}: {who} the engine made at "
        f"{place(instead.file, instead.line) if instead else '?'}, and nothing uses the engine of {ours.url} that the "
        f"tests make at {made.file}:{made.line}.",
        at.file if at else None,
        at.line if at else None,
        (fact(evidence, ours, f"engine made by the tests ({ours.url}), and never connected"), *reach_facts(case, leak)),
        (leak.database.id,),
        leak.tests,
        (("ours", f"{made.file}:{made.line}"), ("override", override.name if override is not None else "")),
    )


def _of_tests(case: Case, leak: Leak) -> Engine | None:
    """The last engine that the tests' own code made before a leak, that leads elsewhere and was never connected."""
    connected = {connection.engine for connection in case.evidence.connections}
    there = place_in(leak.engine.url) if leak.engine is not None else None
    return next(
        (
            engine
            for engine in reversed(case.evidence.engines)
            if engine.process == leak.first.entry.process
            and engine.at_s <= leak.first.entry.at_s
            and engine.engine not in connected
            and place_in(engine.url) != there
            and any(case.of_tests(frame.file) for frame in case.evidence.chain(engine)[:1])
        ),
        None,
    )
