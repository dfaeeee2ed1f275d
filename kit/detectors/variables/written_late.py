"""What the kinds about a variable share: what a leak went through, and what the tests wrote once that was made."""

from __future__ import annotations

from dataclasses import dataclass

from kit.analysis.case import Case, Leak
from kit.analysis.opened_by_tests import by_tests
from kit.analysis.reach import MODULE
from kit.analysis.url_source import leads_to, url_source_of
from kit.evidence.model import Connection, Engine, Frame, Variable


@dataclass(frozen=True, slots=True)
class LateAbout:
    """The variable and the value that the tests gave it, as evidence shows it; the engine's URL.

    `module` is the test module whose collection made the engine, `kept_by` what kept it; "" where none did.
    """

    variable: str
    value: str
    url: str
    module: str
    kept_by: str


@dataclass(frozen=True, slots=True)
class Made:
    """What a leak went through: its engine, or, where it has none, the connection itself."""

    entry: Engine | Connection
    url: str
    kept_by: str

    @property
    def at_s(self) -> float:
        """When it was made."""
        return self.entry.at_s

    @property
    def what(self) -> str:
        """What it is, in a word."""
        return "engine" if isinstance(self.entry, Engine) else "connection"


def made_for(leak: Leak) -> Made:
    """What a leak went through."""
    engine, connection = leak.engine, leak.first.connection
    if engine is None:
        return Made(connection, connection.configured, "")
    return Made(engine, engine.url, engine.held_by[0] if engine.held_by else "")


def written_late(case: Case, leak: Leak) -> Variable | None:
    """The first writing by the tests of a variable that the URL could have come from, after it had been asked for.

    None where the tests opened it themselves.
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
        if late is not None and not _asked_again(case, late, made, variables):
            return late
    return None


def asked_for(case: Case, leak: Leak, variables: tuple[Variable, ...]) -> list[Variable]:
    """The looks that could have given the engine its URL: where the variable was missing, or held the same place."""
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


def _asked_again(case: Case, late: Variable, made: Made, variables: tuple[Variable, ...]) -> bool:
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


def collected_by_another(case: Case, leak: Leak) -> Frame | None:
    """The line of a test module, that is none of the leak's own, whose collection made the engine."""
    own, engine = {test.partition("::")[0] for test in leak.tests}, leak.engine
    if engine is None or engine.phase != "collection" or engine.collecting is None:
        return None
    module = engine.collecting.partition("::")[0]
    frame = next(
        (frame for frame in case.evidence.chain(engine) if frame.function == MODULE and frame.file == module), None
    )
    return frame if module not in own else None


def changed(event: Variable) -> str:
    """What was changed, in words: the variable, or what the settings keep of it."""
    return event.name if event.op == "set" else f"The settings' copy of {event.name}"
