"""Did a process that the tests started not get the variable that leads to their database?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import Child, Variable
from kit.findings.case import Case, Leak, reach_facts
from kit.findings.model import Finding, fact, first, place


def ask(case: Case) -> Iterator[Finding]:
    """For each leak of a process that another one started: which variable did it miss that the other one has?"""
    for leak in case.leaks:
        for asked in _missing(case, leak):
            child = _starter(case, leak, asked.name)
            if child is not None:
                yield _finding(case, leak, asked, child)
                break


def _finding(case: Case, leak: Leak, asked: Variable, child: Child) -> Finding:
    evidence = case.evidence
    at, reader = first(evidence.chain(child)), first(evidence.chain(asked))
    by = f" in {child.test}" if child.test is not None else ""
    return Finding(
        "environment-not-handed-on",
        f"{leak.database.name} answered in {child.program}, which {at or 'the program'} starts{by} with an environment "
        f"of its own: {asked.name} is not in it, though it is set where the tests run, and is asked for at "
        f"{place(reader.file, reader.line) if reader else '?'}.",
        at.file if at else None,
        at.line if at else None,
        (fact(evidence, child, f"{child.program} started without {asked.name}"), *reach_facts(case, leak)),
        (leak.database.id,),
        leak.tests,
        (("variable", asked.name), ("test", child.test or "")),
    )


def _missing(case: Case, leak: Leak) -> list[Variable]:
    return [
        event
        for event in (*case.evidence.variables, *case.evidence.modes)
        if event.op == "missing" and event.process == leak.first.entry.process and event.at_s <= leak.first.entry.at_s
    ]


def _starter(case: Case, leak: Leak, name: str) -> Child | None:
    """Who started the leak's process without a variable, last before it began."""
    processes = case.evidence.processes
    before = [
        child
        for child in case.evidence.children
        if name in child.dropped
        and processes[child.process].pid == processes[leak.first.entry.process].ppid
        and child.at_s <= leak.first.entry.at_s
    ]
    return before[-1] if before else None
