"""Did the engine of a leak get its URL from the wrong place, or too early?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import Engine, Frame, Variable
from kit.findings.case import Case, Leak, is_test_file, reach_facts, tests_said
from kit.findings.model import Finding, fact, first
from kit.findings.reach import MODULE
from kit.findings.sources import made_at, source_of, writer
from kit.findings.themselves import by_tests


def ask(case: Case) -> Iterator[Finding]:
    """For each leak: was a variable written after its engine was made, or did another variable go first?"""
    for leak in case.leaks:
        if leak.engine is None or by_tests(case, leak):
            continue
        late = _written_late(case, leak, leak.engine)
        if late is not None:
            yield _too_late(case, leak, leak.engine, late)
        else:
            yield from _went_first(case, leak, leak.engine)


def _written_late(case: Case, leak: Leak, engine: Engine) -> Variable | None:
    """The first writing by the tests of a variable that the URL could have come from, after it had been asked for."""
    source = source_of(case.evidence, engine)
    if source.since:
        return source.since[0]
    for asked in reversed(_asked(case, engine)):
        late = next(
            (
                event
                for event in case.evidence.variables
                if event.op == "set"
                and not event.same
                and event.name == asked.name
                and event.process == engine.process
                and asked.at_s < event.at_s <= leak.reaches[-1].entry.at_s
                and _by_tests(case, event)
            ),
            None,
        )
        if late is not None:
            return late
    return None


def _asked(case: Case, engine: Engine) -> list[Variable]:
    """The looks that could have given the engine its URL: where the variable was missing, or held the same place."""
    return [
        event
        for event in case.evidence.variables
        if event.process == engine.process
        and event.at_s <= engine.at_s
        and (event.op == "missing" or (event.op == "read" and event.value == engine.url))
        and not any(is_test_file(frame.file) for frame in case.evidence.chain(event)[:1])
    ]


def _too_late(case: Case, leak: Leak, engine: Engine, late: Variable) -> Finding:
    evidence = case.evidence
    made, by = evidence.chain(engine), first(evidence.chain(late))
    at: Frame | None
    collecting = _collected_by_another(case, leak, engine)
    made_where = f"{made[0].file}:{made[0].line}" if made else "?"
    if collecting is not None:
        message = (
            f"engine of {leak.database.name} ({made_where}) was created while COLLECTING {collecting.file} (line "
            f"{collecting.line}), {late.at_s - engine.at_s:.1f} s before {_who(late)} first set {late.name}."
        )
        kind, at = "collection-time-import", collecting
    elif late.at_s < engine.at_s:
        asked = next(
            event for event in reversed(_asked(case, engine)) if event.name == late.name and event.at_s < late.at_s
        )
        reader = first(evidence.chain(asked))
        message = (
            f"{late.name} changed at {writer(evidence, late)} AFTER it had been asked for at {reader} "
            f"({'it was missing then' if asked.op == 'missing' else 'it held the old value then'}), and what was found "
            f"was kept{_kept(engine)}: the engine made at {made_where} got {engine.url}."
        )
        kind, at = "env-set-too-late", by
    else:
        importer = next((frame for frame in made if is_test_file(frame.file)), None)
        imported = f", imported at {importer.file}:{importer.line}" if importer is not None else ""
        message = (
            f"{late.name} changed at {writer(evidence, late)} AFTER engine {engine.url} was created from its old value "
            f"({made_where}{imported}). The change has no effect: {leak.database.name} answered in "
            f"{tests_said(leak.tests)}."
        )
        kind, at = "env-set-too-late", by
    return Finding(
        kind,
        message,
        at.file if at else None,
        at.line if at else None,
        (
            fact(evidence, engine, f"engine made ({engine.url})"),
            fact(evidence, late, f"{late.name} {late.op}"),
            *reach_facts(case, leak),
        ),
        (leak.database.id,),
        leak.tests,
        (
            ("variable", late.name),
            ("value", late.value or ""),
            ("module", collecting.file if collecting is not None else ""),
        ),
    )


def _kept(engine: Engine) -> str:
    return f" by {engine.held_by[0]}" if engine.held_by else ""


def _collected_by_another(case: Case, leak: Leak, engine: Engine) -> Frame | None:
    """The line of a test module, that is none of the leak's own, whose collection made the engine."""
    own = {test.partition("::")[0] for test in leak.tests}
    if engine.phase != "collection" or engine.collecting is None:
        return None
    module = engine.collecting.partition("::")[0]
    frame = next(
        (frame for frame in case.evidence.chain(engine) if frame.function == MODULE and frame.file == module), None
    )
    return frame if module not in own else None


def _went_first(case: Case, leak: Leak, engine: Engine) -> Iterator[Finding]:
    """Another variable was written by the tests in time, and was not the one that the URL came from."""
    evidence, source = case.evidence, source_of(case.evidence, engine)
    if source.kind != "variable" or source.variable is None:
        return
    passed_over = [
        event
        for event in evidence.variables
        if event.op == "set"
        and event.name != source.variable
        and event.process == engine.process
        and event.at_s <= engine.at_s
        and _by_tests(case, event)
    ]
    if not passed_over or source.written is None or _by_tests(case, source.written):
        return
    event, made = passed_over[-1], made_at(evidence, engine)
    read = first(evidence.chain(source.read)) if source.read is not None else made
    yield Finding(
        "variable-precedence",
        f"engine of {leak.database.name} ({made.file if made else '?'}:{made.line if made else '?'}) took its URL from "
        f"{source.variable}, written by {writer(evidence, source.written)}, and not from {event.name}, which "
        f"{writer(evidence, event)} had set: {source.variable} goes first at {read.file if read else '?'}:"
        f"{read.line if read else '?'}.",
        read.file if read else None,
        read.line if read else None,
        (
            fact(evidence, event, f"{event.name} set"),
            fact(evidence, engine, f"engine made ({engine.url})"),
            *reach_facts(case, leak),
        ),
        (leak.database.id,),
        leak.tests,
        (("variable", source.variable), ("instead", event.name)),
    )


def _by_tests(case: Case, event: Variable) -> bool:
    chain = case.evidence.chain(event)
    return event.op == "set" and (event.fixture is not None or any(is_test_file(frame.file) for frame in chain))


def _who(event: Variable) -> str:
    return f"fixture {event.fixture}" if event.fixture is not None else event.test or "the tests"
