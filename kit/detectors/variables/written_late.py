"""Shared by the kinds about a variable set too late: what a leak used, and what the tests set after it was made."""

from __future__ import annotations

from dataclasses import dataclass

from kit.analysis.case import Case, Leak
from kit.analysis.opened_by_tests import by_tests
from kit.analysis.reach import MODULE
from kit.analysis.url_source import leads_to, url_source_of
from kit.evidence.model import Connection, Engine, Frame, Variable


@dataclass(frozen=True, slots=True)
class LateAbout:
    """The variable and the value that the tests gave it, as the evidence shows it, and the engine's URL.

    `module` is the test module whose collection made the engine, `kept_by` the name that kept its URL; "" if there is
    none.
    """

    variable: str
    value: str
    url: str
    module: str
    kept_by: str


@dataclass(frozen=True, slots=True)
class Made:
    """The engine of a leak or, without one, its connection."""

    entry: Engine | Connection
    url: str
    kept_by: str

    @property
    def at_s(self) -> float:
        """When it was made, in seconds since the run began."""
        return self.entry.at_s

    @property
    def what(self) -> str:
        """The word "engine" or "connection"."""
        return "engine" if isinstance(self.entry, Engine) else "connection"


def made_for(leak: Leak) -> Made:
    """The engine of a leak or, without one, its connection."""
    engine, connection = leak.engine, leak.first.connection
    if engine is None:
        return Made(connection, connection.configured, "")
    return Made(engine, engine.url, engine.held_by[0] if engine.held_by else "")


def written_late(case: Case, leak: Leak) -> Variable | None:
    """The first write by the tests to a variable that may be the URL's source, after the application had read it.

    None when the tests opened the database themselves.
    """
    if by_tests(case, leak):
        return None
    made, source = made_for(leak), url_source_of(case.evidence, leak.first)
    if isinstance(made.entry, Engine) and source.kind == "variable" and source.since:
        return source.since[0]
    asked = asked_for(case, leak, case.evidence.variables) if source.asked is None else [source.asked]
    return _set_late(case, leak, made, asked, case.evidence.variables) or (
        None
        if source.variable
        else _set_late(case, leak, made, asked_for(case, leak, case.evidence.modes), case.evidence.modes)
    )


def _set_late(
    case: Case, leak: Leak, made: Made, looks: list[Variable], variables: tuple[Variable, ...]
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
        if late is not None and not _is_read_again(case, late, made, variables):
            return late
    return None


def asked_for(case: Case, leak: Leak, variables: tuple[Variable, ...]) -> list[Variable]:
    """The reads that may be the URL's source: the variable was missing, or held the same database."""
    made = made_for(leak)
    return [
        event
        for event in variables
        if event.process == made.entry.process
        and event.at_s <= made.at_s
        and (event.op == "missing" or (event.op == "read" and event.value and _holds(event.value, leak, made)))
        and not any(case.of_tests(frame.file) for frame in case.evidence.chain(event)[:1])
    ]


def _holds(value: str, leak: Leak, made: Made) -> bool:
    return value == made.url or (made.what == "connection" and leads_to(value, leak.first))


def _is_read_again(case: Case, late: Variable, made: Made, variables: tuple[Variable, ...]) -> bool:
    """Whether the application read the variable by name after it was set and before the engine was made."""
    return any(
        event.op == "read"
        and not event.whole
        and event.name == late.name
        and event.process == late.process
        and late.at_s < event.at_s <= made.at_s
        and not any(case.of_tests(frame.file) for frame in case.evidence.chain(event)[:1])
        for event in variables
    )


def collected_by_another(case: Case, leak: Leak) -> Frame | None:
    """The line of a module of other tests whose collection made the engine; None otherwise."""
    own, engine = {test.partition("::")[0] for test in leak.tests}, leak.engine
    if engine is None or engine.phase != "collection" or engine.collecting is None:
        return None
    module = engine.collecting.partition("::")[0]
    frame = next(
        (frame for frame in case.evidence.chain(engine) if frame.function == MODULE and frame.file == module), None
    )
    return frame if module not in own else None


def changed(event: Variable) -> str:
    """The changed thing in words: the variable, or the settings' copy of it."""
    return event.name if event.op == "set" else f"The settings' copy of {event.name}"
