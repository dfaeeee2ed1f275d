"""Did the tests set a variable that nobody asks for, while the one that was asked for is not there?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import SequenceMatcher

from kit.evidence import Frame, Variable
from kit.findings.case import Case, Leak, reach_facts
from kit.findings.model import Fact, Finding, fact, first
from kit.findings.reach import MODULE
from kit.findings.sources import leads_to, origin_of, writer
from kit.findings.themselves import by_tests

_ALIKE = 0.5  # at least, for a name in a file to be taken for another one's

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
        else:
            yield from _in_a_file(case, leak, source.asked)


def _finding(case: Case, leak: Leak, event: Variable, asked: Variable) -> Finding:
    given = f"which {writer(case.evidence, event)} sets to {event.value}"
    at = first(case.evidence.chain(event))
    return _told(case, leak, (event.name, event.value, given), asked, at, fact(case.evidence, event, "set"))


def _in_a_file(case: Case, leak: Leak, asked: Variable | None) -> Iterator[Finding]:
    """A file of variables that was read has a name like the one that was missing, and leads elsewhere."""
    lines = [] if asked is None else list(_lines_in_vain(case, leak, asked))
    if asked is None or not lines:
        return
    file, line, name, value = max(lines, key=lambda entry: _likeness(entry[2], asked.name))
    at = Frame(file, line, MODULE)
    yield _told(
        case, leak, (name, value, f"which {file}:{line} gives as {value}"), asked, at, Fact("given", file, line)
    )


def _lines_in_vain(case: Case, leak: Leak, asked: Variable) -> Iterator[tuple[str, int, str, str]]:
    process, until_s = leak.first.entry.process, leak.first.entry.at_s
    known = {event.name.upper() for event in case.evidence.variables if event.op in ("read", "missing")}
    for event in case.evidence.settings_files:
        if event.process != process or event.at_s > until_s or ".env" not in event.file.rpartition("/")[2]:
            continue
        for line, name, value in event.entries:
            alike = _likeness(name, asked.name) >= _ALIKE
            if value and alike and name.upper() not in known and not any(leads_to(value, one) for one in case.reached):
                yield event.file, line, name, value


def _told(
    case: Case, leak: Leak, variable: tuple[str, str | None, str], asked: Variable, at: Frame | None, given: Fact
) -> Finding:
    """What is said of a variable (its name, its value, who gives it) that nobody asks for."""
    name, value, who = variable
    return Finding(
        "variable-not-asked-for",
        f"{name}, {who}, is asked for by nobody. {asked.name} is asked for at "
        f"{case.leads(case.evidence.chain(asked)[:3])}, and is not there: what stands in its place leads to "
        f"{leak.database.name}.",
        at.file if at else None,
        at.line if at else None,
        (
            replace(given, what=f"{name} {given.what}"),
            fact(case.evidence, asked, f"{asked.name} asked for, and not there"),
            *reach_facts(case, leak),
        ),
        (leak.database.id,),
        leak.tests,
        (("variable", name), ("value", value or ""), ("wanted", asked.name)),
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
