"""Settings to which the tests gave a database of their own: which of them did not reach the wrong engine? Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kit.analysis.case import Case, Leak
from kit.analysis.url_source import leads_to
from kit.evidence.model import Connection, Engine, Setting
from kit.probes.places import place


@dataclass(frozen=True, slots=True)
class Made:
    """What a leak went through: its engine, or, where it has none, the connection itself."""

    entry: Engine | Connection
    url: str
    what: str


def made_for(case: Case, leak: Leak) -> Made:
    """What a leak went through."""
    engine, connection = leak.engine, leak.first.connection
    if engine is None:
        return Made(connection, connection.configured, "connection")
    return Made(engine, engine.url, "engine")


def named_by_settings(case: Case) -> tuple[Setting, ...]:
    """The changes by which the tests gave a setting another database."""
    return tuple(
        event
        for event in case.evidence.settings
        if event.op == "changed" and any(case.of_tests(frame.file) for frame in case.evidence.chain(event))
    )


def handed_over(case: Case, leak: Leak) -> Setting | None:
    """The change of a setting by the tests, in force when a leak was reached, that did not come to what led there.

    One that held the very place which was reached goes before one of which nobody knows who reads it; that one names
    a database which nothing reached.
    """
    found = [event for event in named_by_settings(case) if _concerns(case, leak, event)]
    held = [event for event in found if is_held(leak, event)]
    vain = [event for event in found if not any(leads_to(event.value, reach) for reach in case.reached)]
    return next(iter(held or vain), None)


def is_held(leak: Leak, event: Setting) -> bool:
    """Tell whether a setting held the place of a leak before it was changed."""
    if not event.before:
        return False
    engine = leak.engine
    if engine is not None and place(event.before) == place(engine.url) is not None:
        return True
    return event.before == leak.first.connection.configured or leads_to(event.before, leak.first)


def _concerns(case: Case, leak: Leak, event: Setting) -> bool:
    """Tell whether a change was in force when the database was reached in some test, and names another one."""
    if event.process != leak.first.entry.process or leads_to(event.value, leak.first):
        return False
    over = [
        other.at_s
        for other in case.evidence.settings
        if other.name == event.name and other.process == event.process and other.at_s > event.at_s
    ]
    ends = min(over, default=float("inf"))
    return any(event.at_s <= reach.entry.at_s < ends for reach in leak.reaches)
