"""Did a file of variables go before what the tests had set?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import Evidence, Variable
from kit.findings.case import Case, Leak, reach_facts
from kit.findings.model import Fact, Finding, fact, first
from kit.findings.sources import origin_of, passed_over, writer
from kit.findings.whence import LOADERS


def ask(case: Case) -> Iterator[Finding]:
    """For each leak: does its URL come from a file, although the tests had written the variable of that name?"""
    for leak in case.leaks:
        found = _loaded_over(case, leak) or _loaded_before(case, leak) or _read_instead(case, leak)
        if found is not None:
            yield found


def _loaded_over(case: Case, leak: Leak) -> Finding | None:
    """A loader wrote the variable, out of a file, over what the tests had put there."""
    evidence = case.evidence
    source = origin_of(evidence, leak.first)
    if source.written is None or source.variable is None or not _by_loader(source.written):
        return None
    before = [event for event in _writes(evidence, source.variable, leak) if event.at_s < source.written.at_s]
    ours = next((event for event in reversed(before) if case.done_by_tests(event)), None)
    if ours is None:
        return None
    at = first(evidence.chain(source.written))
    file = _file_with(evidence, source.variable)
    return Finding(
        "dotenv-precedence",
        f"{source.variable}={source.written.value} comes from {file} via {source.written.written_by} at "
        f"{writer(evidence, source.written)}; it replaced the value {ours.value} set by {writer(evidence, ours)}.",
        at.file if at else None,
        at.line if at else None,
        (
            fact(evidence, ours, f"{ours.name} set by the tests"),
            fact(evidence, source.written, f"{source.variable} set again, out of {file}"),
            *reach_facts(case, leak),
        ),
        (leak.database.id,),
        leak.tests,
        (("variable", source.variable),),
    )


def _loaded_before(case: Case, leak: Leak) -> Finding | None:
    """A loader wrote the variable out of one file, and so it goes before another file that the settings read, too."""
    evidence = case.evidence
    source = origin_of(evidence, leak.first)
    if source.written is None or source.variable is None or not _by_loader(source.written):
        return None
    other = passed_over(evidence, source.variable, source.written.value)
    if other is None:
        return None
    at = first(evidence.chain(source.written))
    file = _file_with(evidence, source.variable, source.written.value)
    return Finding(
        "dotenv-precedence",
        f"{source.variable}={source.written.value} comes from {file} via {source.written.written_by} at "
        f"{writer(evidence, source.written)}, which puts it into the environment; that goes before "
        f"{source.variable}={other[2]} in {other[0]}:{other[1]}.",
        at.file if at else None,
        at.line if at else None,
        (
            fact(evidence, source.written, f"{source.variable} set, out of {file}"),
            Fact(f"{source.variable}={other[2]}", other[0], other[1]),
            *reach_facts(case, leak),
        ),
        (leak.database.id,),
        leak.tests,
        (("variable", source.variable), ("loads", "yes")),
    )


def _read_instead(case: Case, leak: Leak) -> Finding | None:
    """The settings read the file themselves, whatever the tests had done to the variable."""
    evidence, engine = case.evidence, leak.engine
    if engine is None or not engine.files or engine.variables:
        return None
    file, line, name = engine.files[0]
    ours = next(
        (
            event
            for event in evidence.variables
            if event.name.upper() == name.upper()
            and event.op in ("set", "removed", "missing")
            and event.at_s <= engine.at_s
            and event.process == engine.process
            and case.done_by_tests(event)
            and (event.op != "missing" or _looked_for_to_be_removed(case, event))
        ),
        None,
    )
    if ours is None:
        return None
    opened = next((event for event in evidence.settings_files if event.file == file), None)
    at = first(evidence.chain(opened)) if opened is not None else None
    return Finding(
        "dotenv-precedence",
        f"{name} comes from {file}:{line}, which the settings read at {at or 'the start'}, although "
        f"{writer(evidence, ours)} had {'set it in' if ours.op == 'set' else 'taken it out of'} the environment: "
        f"{leak.database.name} answered.",
        at.file if at else file,
        at.line if at else line,
        (
            fact(evidence, ours, f"{ours.name} {ours.op} by the tests"),
            Fact(f"{name} in the file", file, line),
            *reach_facts(case, leak),
        ),
        (leak.database.id,),
        leak.tests,
        (("variable", name.upper()),),
    )


def _writes(evidence: Evidence, name: str, leak: Leak) -> list[Variable]:
    return [
        event
        for event in evidence.variables
        if event.name == name and event.op == "set" and event.process == leak.first.entry.process
    ]


def _by_loader(event: Variable) -> bool:
    return (event.written_by or "").partition(".")[0] in LOADERS


def _looked_for_to_be_removed(case: Case, event: Variable) -> bool:
    """Tell whether it was the tests that looked for a variable, and took nothing for it: as one does to remove it."""
    if event.value is not None or event.written_by is not None:
        return False
    return any(case.of_tests(frame.file) for frame in case.evidence.chain(event)[:1])


def _file_with(evidence: Evidence, name: str, value: str | None = None) -> str:
    return next(
        (
            event.file
            for event in evidence.settings_files
            if any(entry == name and value in (None, given) for _, entry, given in event.entries)
        ),
        "a file of variables",
    )
