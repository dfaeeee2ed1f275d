"""Settings that the tests changed to a database of their own: which changes did not affect a leak's engine? Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kit.analysis.case import Case, Leak
from kit.analysis.reach import Reach
from kit.analysis.url_source import leads_to, url_source_of
from kit.evidence.model import Connection, Engine, Setting, Text
from kit.probes.places import place


@dataclass(frozen=True, slots=True)
class Made:
    """The engine of a leak or, without one, its connection."""

    entry: Engine | Connection
    url: str
    what: str


def made_for(leak: Leak) -> Made:
    """The engine of a leak or, without one, its connection."""
    engine, connection = leak.engine, leak.first.connection
    if engine is None:
        return Made(connection, connection.configured, "connection")
    return Made(engine, engine.url, "engine")


def named_by_settings(case: Case) -> tuple[Setting, ...]:
    """The changes by which tests set a setting to another database."""
    return tuple(
        event
        for event in case.evidence.settings
        if event.op == "changed" and any(case.of_tests(frame.file) for frame in case.evidence.chain(event))
    )


def late_change(case: Case, leak: Leak) -> Setting | None:
    """The change of a setting by the tests, in effect at a leak, whose previous value was the reached database."""
    held = (event for event in _in_force(case, leak) if is_held(leak, event))
    return next((event for event in held if not _is_from_a_variable(case, leak, event)), None)


def still_holding(case: Case, leak: Leak, late: Setting) -> Text | None:
    """Which other setting held what an engine was made of after a change: one of its own module, else any; or None."""
    made = made_for(leak).entry
    if not isinstance(made, Engine) or made.at_s <= late.at_s:
        return None
    others = (one for one in case.evidence.texts if one.name != late.name and one.process == made.process)
    found = [one for one in others if place(one.value) == place(made.url) is not None]
    near = {frame.file for frame in case.evidence.chain(made)[:1]}
    found.sort(key=lambda one: not near.intersection(frame.file for frame in case.evidence.chain(one)))
    return found[0] if found else None


def _is_from_a_variable(case: Case, leak: Leak, event: Setting) -> bool:
    """Whether the URL came from a variable rather than the setting: the line that made the engine read the variable.

    Also when the engine was made after the change, and only the variable still holds the old value.
    """
    source, made = url_source_of(case.evidence, leak.first), made_for(leak).entry
    if source.kind != "variable":
        return False
    reads = (one for one in case.evidence.variables if one.op == "read" and one.name == source.variable)
    lines = case.evidence.chain(made)[:1]
    direct = any(case.evidence.chain(read)[:1] == lines for read in reads if read.at_s <= made.at_s)
    return direct or (made.at_s > event.at_s and not event.also)


def unused_change(case: Case, leak: Leak) -> Setting | None:
    """The change of a setting by the tests, in effect at a leak, to a database that only the tests opened."""
    others = [reach for reach in case.reached if not _opened_by_tests(case, reach)]
    return next((one for one in _in_force(case, leak) if not any(leads_to(one.value, other) for other in others)), None)


def _opened_by_tests(case: Case, reach: Reach) -> bool:
    made = case.evidence.chain(reach.engine) if reach.engine is not None else reach.chain
    return bool(made) and case.of_tests(made[0].file)


def _in_force(case: Case, leak: Leak) -> tuple[Setting, ...]:
    return tuple(event for event in named_by_settings(case) if _is_in_effect(case, leak, event))


def is_held(leak: Leak, event: Setting) -> bool:
    """Whether a setting named the database of a leak before its change, and can be where its URL came from."""
    if not event.before or _is_written_elsewhere(leak, event):
        return False
    engine = leak.engine
    if engine is not None and place(event.before) == place(engine.url) is not None:
        return True
    return event.before == leak.first.connection.configured or leads_to(event.before, leak.first)


def _is_written_elsewhere(leak: Leak, event: Setting) -> bool:
    """Whether the URL came from a literal at its own line, or from another global than the setting."""
    literal = (leak.engine or leak.first.connection).literal
    return literal is not None and literal != event.name


def _is_in_effect(case: Case, leak: Leak, event: Setting) -> bool:
    """Whether a change was in effect in some test of the leak, and names another database."""
    if event.process != leak.first.entry.process or leads_to(event.value, leak.first):
        return False
    over = [
        other.at_s
        for other in case.evidence.settings
        if other.name == event.name and other.process == event.process and other.at_s > event.at_s
    ]
    ends = min(over, default=float("inf"))
    return any(event.at_s <= reach.entry.at_s < ends for reach in leak.reaches)
