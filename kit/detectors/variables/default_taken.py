"""Shared by the kinds about a missing variable whose default leads to the leak."""

from __future__ import annotations

from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Fact, Finding, fact
from kit.analysis.url_source import url_source_of
from kit.evidence.model import Frame, Variable


@dataclass(frozen=True, slots=True)
class MissingAbout:
    """The missing variable, the engine's URL ("" for none), and the test that removed the variable ("" for none)."""

    variable: str
    url: str
    test: str = ""


def default_finding(
    case: Case, leak: Leak, kind: str, asked: Variable, gone: str, at: Frame | None, facts: tuple[Fact, ...], test: str
) -> Finding[MissingAbout]:
    """The finding that the application read a variable that is not set and used a default that leads to the leak.

    `gone` is the clause on why it was missing, `facts` support it.
    """
    kept = f", kept by {leak.engine.held_by[0]}" if leak.engine is not None and leak.engine.held_by else ""
    return of_leak(
        case,
        leak,
        kind,
        f"{leak.database.name} answered {within(leak.tests)}: the application reads {asked.name} at "
        f"{case.stack_text(case.evidence.chain(asked)[:3])}, where it is not set{gone}; its default{kept} leads there.",
        at,
        MissingAbout(asked.name, leak.engine.url if leak.engine is not None else "", test),
        (*facts, fact(case.evidence, asked, f"{asked.name} read, and not set")),
    )


def missing_read(case: Case, leak: Leak) -> Variable | None:
    """The read of a missing variable from whose default the leak's URL comes; None if there is none."""
    source = url_source_of(case.evidence, leak.first)
    if source.kind == "variable":
        return None
    if source.asked is not None:
        return source.asked
    made = leak.engine or leak.first.connection
    asked = [
        event
        for event in case.evidence.variables
        if event.op == "missing"
        and event.process == made.process
        and event.at_s <= made.at_s
        and not any(case.of_tests(frame.file) for frame in case.evidence.chain(event)[:1])
        and not _is_set_later(case, event, made.at_s)
    ]
    return asked[-1] if asked else None


def removal_of(case: Case, asked: Variable) -> Variable | None:
    """The removal of a variable by project code, if that is its last change before it was read; else None."""
    befell = [
        event
        for event in case.evidence.variables
        if event.op in ("set", "removed")
        and (event.name, event.process) == (asked.name, asked.process)
        and event.at_s <= asked.at_s
    ]
    by = case.evidence.chain(befell[-1])[:1] if befell else ()
    taken_away = befell and befell[-1].op == "removed" and by and not by[0].file.startswith("site-packages")
    return befell[-1] if taken_away else None


def _is_set_later(case: Case, asked: Variable, until_s: float) -> bool:
    """Whether a variable that was missing was read later, before the engine was made."""
    return any(
        event.op == "read" and not event.whole and event.name == asked.name and asked.at_s < event.at_s <= until_s
        for event in case.evidence.variables
        if event.process == asked.process
    )
