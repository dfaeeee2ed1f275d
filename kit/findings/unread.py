"""Did the tests set a variable that nobody asks for, while the one that was asked for is not there?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

from kit.evidence import Variable
from kit.findings.case import Case, Leak, reach_facts
from kit.findings.model import Finding, fact, first
from kit.findings.sources import leads_to, origin_of, writer
from kit.findings.themselves import by_tests


def ask(case: Case) -> Iterator[Finding]:
    """For each leak that no variable led to: which variable did the tests set in vain, and which was missing?"""
    for leak in case.leaks:
        source = origin_of(case.evidence, leak.first)
        if by_tests(case, leak) or source.kind == "variable":
            continue
        asked = [source.asked] if source.asked is not None else None  # the very one whose default was taken
        for variables in (case.evidence.variables, *(() if asked else (case.evidence.modes,))):
            in_vain, missing = _in_vain(case, leak, variables), asked or _missing(case, leak, variables)
            if in_vain and missing:
                event = in_vain[-1]
                yield _finding(case, leak, event, max(missing, key=lambda asked: _likeness(event.name, asked.name)))
                break


def _finding(case: Case, leak: Leak, event: Variable, asked: Variable) -> Finding:
    evidence = case.evidence
    at = first(evidence.chain(event))
    return Finding(
        "variable-not-asked-for",
        f"{event.name}, which {writer(evidence, event)} sets to {event.value}, is asked for by nobody. "
        f"{asked.name} is asked for at {case.leads(evidence.chain(asked)[:3])}, and is not there: what stands in its "
        f"place leads to {leak.database.name}.",
        at.file if at else None,
        at.line if at else None,
        (
            fact(evidence, event, f"{event.name} set"),
            fact(evidence, asked, f"{asked.name} asked for, and not there"),
            *reach_facts(case, leak),
        ),
        (leak.database.id,),
        leak.tests,
        (("variable", event.name), ("value", event.value or ""), ("wanted", asked.name)),
    )


def _in_vain(case: Case, leak: Leak, variables: Iterable[Variable]) -> list[Variable]:
    """What the tests wrote before the leak, that nobody asked for by its name, and that led nowhere."""
    evidence, process = case.evidence, leak.first.entry.process
    mine = [event for event in variables if event.process == process]
    by_name = {event.name for event in mine if event.op in ("read", "missing") and not event.whole}
    led = {name for engine in evidence.engines for name in engine.variables or ()}
    return [
        event
        for event in mine
        if event.op == "set"
        and event.name not in by_name | led
        and event.at_s <= leak.reaches[-1].entry.at_s
        and case.done_by_tests(event)
        and not any(leads_to(event.value or "", reach) for reach in case.reached)
    ]


def _missing(case: Case, leak: Leak, variables: Iterable[Variable]) -> list[Variable]:
    return [
        event
        for event in variables
        if event.op == "missing"
        and event.process == leak.first.entry.process
        and event.at_s <= leak.first.entry.at_s
        and not any(case.of_tests(frame.file) for frame in case.evidence.chain(event)[:1])
    ]


def _likeness(name: str, other: str) -> float:
    return SequenceMatcher(None, name.upper(), other.upper()).ratio()
