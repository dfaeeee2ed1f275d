"""Did the engine of a leak get its URL from the wrong place, or too early?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.evidence import Connection, Engine, Frame, Variable
from kit.findings.case import Case, Leak, reach_facts, within
from kit.findings.model import Finding, fact, first, place
from kit.findings.reach import MODULE
from kit.findings.sources import leads_to, origin_of, writer
from kit.findings.themselves import by_tests


@dataclass(frozen=True, slots=True)
class _Made:
    """What a leak went through: its engine, or, where it has none, the connection itself."""

    entry: Engine | Connection
    url: str
    kept_by: str

    @property
    def at_s(self) -> float:
        return self.entry.at_s

    @property
    def what(self) -> str:
        return "engine" if isinstance(self.entry, Engine) else "connection"


def ask(case: Case) -> Iterator[Finding]:
    """For each leak: was a variable written after its engine was made, or did another variable go first?"""
    for leak in case.leaks:
        if by_tests(case, leak):
            continue
        made = _made(leak)
        late = _written_late(case, leak, made)
        if late is not None:
            yield _too_late(case, leak, made, late)
        else:
            yield from _went_first(case, leak, made)


def _made(leak: Leak) -> _Made:
    engine, connection = leak.engine, leak.first.connection
    if engine is None:
        return _Made(connection, connection.configured, "")
    return _Made(engine, engine.url, engine.held_by[0] if engine.held_by else "")


def _written_late(case: Case, leak: Leak, made: _Made) -> Variable | None:
    """The first writing by the tests of a variable that the URL could have come from, after it had been asked for."""
    source = origin_of(case.evidence, leak.first)
    if isinstance(made.entry, Engine) and source.kind == "variable" and source.since:
        return source.since[0]
    asked = _asked(case, leak, made, case.evidence.variables) if source.asked is None else [source.asked]
    return _set_late(case, leak, made, asked, case.evidence.variables) or (
        None
        if source.variable
        else _set_late(case, leak, made, _asked(case, leak, made, case.evidence.modes), case.evidence.modes)
    )


def _set_late(
    case: Case, leak: Leak, made: _Made, looks: list[Variable], variables: tuple[Variable, ...]
) -> Variable | None:
    for asked in reversed(looks):
        late = next(
            (
                event
                for event in variables
                if event.op in ("set", "assigned")
                and not event.same
                and event.name == asked.name
                and event.process == made.entry.process
                and asked.at_s < event.at_s <= leak.reaches[-1].entry.at_s
                and case.done_by_tests(event)
            ),
            None,
        )
        if late is not None and not _asked_again(case, late, made, variables):
            return late
    return None


def _asked(case: Case, leak: Leak, made: _Made, variables: tuple[Variable, ...]) -> list[Variable]:
    """The looks that could have given the engine its URL: where the variable was missing, or held the same place."""
    return [
        event
        for event in variables
        if event.process == made.entry.process
        and event.at_s <= made.at_s
        and (event.op == "missing" or (event.op == "read" and event.value and _holds(event.value, leak, made)))
        and not any(case.of_tests(frame.file) for frame in case.evidence.chain(event)[:1])
    ]


def _holds(value: str, leak: Leak, made: _Made) -> bool:
    return value == made.url or (made.what == "connection" and leads_to(value, leak.first))


def _asked_again(case: Case, late: Variable, made: _Made, variables: tuple[Variable, ...]) -> bool:
    """Tell whether the application asked for it by name once it was written, before the engine was made."""
    return any(
        event.op == "read"
        and not event.whole
        and event.name == late.name
        and event.process == late.process
        and late.at_s < event.at_s <= made.at_s
        and not any(case.of_tests(frame.file) for frame in case.evidence.chain(event)[:1])
        for event in variables
    )


def _too_late(case: Case, leak: Leak, engine: _Made, late: Variable) -> Finding:
    evidence = case.evidence
    made, by = evidence.chain(engine.entry), first(evidence.chain(late))
    at: Frame | None
    collecting = _collected_by_another(case, leak)
    made_where = f"{made[0].file}:{made[0].line}" if made else "?"
    if collecting is not None:
        message = (
            f"engine of {leak.database.name} ({made_where}) was created while COLLECTING {collecting.file} (line "
            f"{collecting.line}), {late.at_s - engine.at_s:.1f} s before {_who(late)} first set {late.name}."
        )
        kind, at = "collection-time-import", collecting
    elif late.at_s < engine.at_s:
        asked = next(
            event
            for event in reversed(_asked(case, leak, engine, (*evidence.modes, *evidence.variables)))
            if event.name == late.name and event.at_s < late.at_s
        )
        reader = case.leads(evidence.chain(asked)[:4])
        message = (
            f"{_called(late)} changed at {writer(evidence, late)} AFTER it had been asked for at {reader} "
            f"({'it was missing then' if asked.op == 'missing' else 'it held the old value then'}), and what was found "
            f"was kept{f' by {engine.kept_by}' if engine.kept_by else ''}: the {engine.what} made at {made_where} got "
            f"{engine.url}."
        )
        kind, at = "env-set-too-late", by
    else:
        importer = next((frame for frame in made if case.of_tests(frame.file)), None)
        imported = f", imported at {importer.file}:{importer.line}" if importer is not None else ""
        old = "its old value" if origin_of(evidence, leak.first).kind == "variable" else "what was taken instead of it"
        message = (
            f"{_called(late)} changed at {writer(evidence, late)} AFTER {engine.what} {engine.url} was created from "
            f"{old} ({made_where}{imported}{_in_another(leak, engine)}). The change has no effect: "
            f"{leak.database.name} answered {within(leak.tests)}."
        )
        kind, at = "env-set-too-late", by
    return Finding(
        kind,
        message,
        at.file if at else None,
        at.line if at else None,
        (
            fact(evidence, engine.entry, f"{engine.what} made ({engine.url})"),
            fact(evidence, late, f"{late.name} {late.op}"),
            *reach_facts(case, leak),
        ),
        (leak.database.id,),
        leak.tests,
        (
            ("variable", late.name),
            ("value", late.value or ""),
            ("url", engine.url),
            ("module", collecting.file if collecting is not None else ""),
            ("kept_by", engine.kept_by if late.at_s < engine.at_s else ""),
        ),
    )


def _in_another(leak: Leak, made: _Made) -> str:
    """In which other test it was made, and what has kept it since."""
    test = made.entry.test
    kept = f", kept by {made.kept_by}" if made.kept_by else ""
    return f", in {test}{kept}" if test is not None and test not in leak.tests else ""


def _collected_by_another(case: Case, leak: Leak) -> Frame | None:
    """The line of a test module, that is none of the leak's own, whose collection made the engine."""
    own, engine = {test.partition("::")[0] for test in leak.tests}, leak.engine
    if engine is None or engine.phase != "collection" or engine.collecting is None:
        return None
    module = engine.collecting.partition("::")[0]
    frame = next(
        (frame for frame in case.evidence.chain(engine) if frame.function == MODULE and frame.file == module), None
    )
    return frame if module not in own else None


def _went_first(case: Case, leak: Leak, engine: _Made) -> Iterator[Finding]:
    """Another variable was written by the tests in time, and was not the one that the URL came from."""
    evidence, source = case.evidence, origin_of(case.evidence, leak.first)
    if source.variable is None or source.written is None or case.done_by_tests(source.written):
        return
    passed_over = [
        event
        for event in evidence.variables
        if event.op == "set"
        and event.name != source.variable
        and event.process == engine.entry.process
        and event.at_s <= engine.at_s
        and case.done_by_tests(event)
    ]
    kept = _kept(case, leak, source.variable)
    made = first(evidence.chain(engine.entry))
    read = first(evidence.chain(source.read)) if source.read is not None else made
    said = (
        f"{engine.what} of {leak.database.name} ({place(made.file, made.line) if made else '?'}) took its URL from "
        f"{source.named}, written by {writer(evidence, source.written)}"
    )
    if kept is not None:
        read = first(evidence.chain(kept))
        said += f": it was there already, so that setdefault at {writer(evidence, kept)} left it as it was."
    elif passed_over:
        said += (
            f", and not from {passed_over[-1].name}, which {writer(evidence, passed_over[-1])} had set: "
            f"{source.variable} goes first at {place(read.file, read.line) if read else '?'}."
        )
    else:
        return
    yield Finding(
        "variable-precedence",
        said,
        read.file if read else None,
        read.line if read else None,
        (
            *(fact(evidence, event, f"{event.name} {event.op}") for event in passed_over[-1:]),
            fact(evidence, engine.entry, f"{engine.what} made ({engine.url})"),
            *reach_facts(case, leak),
        ),
        (leak.database.id,),
        leak.tests,
        (
            ("variable", source.variable),
            ("instead", passed_over[-1].name if passed_over and kept is None else ""),
            ("kept", "yes" if kept is not None else ""),
        ),
    )


def _kept(case: Case, leak: Leak, name: str) -> Variable | None:
    """The tests' own `setdefault` that found the variable there already."""
    return next(
        (
            event
            for event in case.evidence.variables
            if event.op == "kept"
            and event.name == name
            and event.process == leak.first.entry.process
            and any(case.of_tests(frame.file) for frame in case.evidence.chain(event)[:1])
        ),
        None,
    )


def _called(event: Variable) -> str:
    return event.name if event.op == "set" else f"What the settings keep of {event.name}"


def _who(event: Variable) -> str:
    return f"fixture {event.fixture}" if event.fixture is not None else event.test or "the tests"
