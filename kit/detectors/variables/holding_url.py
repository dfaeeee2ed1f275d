"""Shared by the kinds about a variable that holds the URL of a leak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Finding, fact, first, location
from kit.analysis.url_source import url_source_of, writer


@dataclass(frozen=True, slots=True)
class HeldAbout:
    """The variable and its value, as the evidence shows it."""

    variable: str
    value: str


def held_by_variable(case: Case, leak: Leak, kind: str, *, inherited: bool) -> Iterator[Finding[HeldAbout]]:
    """The finding that a variable holds a leak's URL: `inherited` by the command, or set during the run."""
    source = url_source_of(case.evidence, leak.first)
    written = source.written
    if written is None or source.variable is None or (written.op == "inherited") is not inherited:
        return
    read = source.read if inherited else written
    at = first(case.evidence.chain(read)) if read is not None else None
    asked = f", and is read at {location(at.file, at.line)}" if at is not None and inherited else ""
    asked += _set_beside(case, leak, source.variable) if inherited else ""
    by = writer(case.evidence, written) + ("" if inherited else ", which sets it")
    yield of_leak(
        case,
        leak,
        kind,
        f"{leak.database.name} answered {within(leak.tests)}: its URL comes from {source.named}, from {by}{asked}.",
        at,
        HeldAbout(source.variable, written.value or ""),
        (fact(case.evidence, written, f"{source.variable}={written.value}"),),
    )


def _set_beside(case: Case, leak: Leak, name: str) -> str:
    """A clause on another variable that the tests do set for an engine of the application; "" if there is none."""
    mine = {
        variable
        for engine in case.evidence.engines
        for made in case.evidence.chain(engine)[:1]
        if not case.of_tests(made.file)
        for variable in engine.variables or ()
    }
    process = leak.first.entry.process
    found = next(
        (
            event
            for event in case.evidence.variables
            if event.op == "set" and event.name in mine - {name} and event.process == process
            if case.done_by_tests(event)
        ),
        None,
    )
    return "" if found is None else f"; {writer(case.evidence, found)} sets {found.name}, and not {name}"
