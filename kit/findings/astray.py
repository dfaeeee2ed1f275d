"""Did an engine connect to another place than the one that its URL names?"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from kit.evidence import Engine, Frame
from kit.findings.case import Case, Leak, named, reach_facts, within
from kit.findings.model import Finding, first, place
from kit.probes.allow import place_of
from kit.probes.places import place as place_in

_HERE = ("localhost", "127.0.0.1", "[::1]", "::1")


def ask(case: Case) -> Iterator[Finding]:
    """For each leak through an engine that names another place: what saw to it that its connection went elsewhere?"""
    for leak in case.leaks:
        if leak.engine is not None and goes_elsewhere(leak):
            yield _finding(case, leak, leak.engine)


def _finding(case: Case, leak: Leak, engine: Engine) -> Finding:
    at, by = _by(case, engine, case.evidence.chain(leak.first.connection))
    return Finding(
        "connected-elsewhere",
        f"{leak.database.name} answered {within(leak.tests)}, although its engine names {engine.url}: "
        f"{by} sees to the engine's connections, and goes elsewhere.",
        at.file if at else None,
        at.line if at else None,
        reach_facts(case, leak),
        (leak.database.id,),
        leak.tests,
    )


def _by(case: Case, engine: Engine, opened: tuple[Frame, ...]) -> tuple[Frame | None, str]:
    """What saw to the connection: the function that made it, the functions that were told of it, or an argument."""
    maker = next((frame for frame in opened if frame.called_by == "sqlalchemy"), None)
    if maker is not None:
        return maker, f"{place(maker.file, maker.line)} {named(maker)}"
    listeners = [
        Frame(listener.file, listener.line, listener.function)
        for listener in case.evidence.connect_listeners
        if listener.engine == engine.engine
    ]
    if listeners:
        told = " or ".join(f"{place(frame.file, frame.line)} {named(frame)}" for frame in listeners)
        return listeners[0], f"{told}, which listens to do_connect,"
    return first(case.evidence.chain(engine)), "an argument of the engine, or a listener of a library,"


def goes_elsewhere(leak: Leak) -> bool:
    """Tell whether a leak's engine names another place than the one that it was connected to."""
    engine = leak.engine
    named_there = place_in(engine.url) if engine is not None else None
    if engine is None or named_there is None or not named_there[3]:
        return False
    if (engine.dialect == "sqlite") != (leak.database.kind == "sqlite"):
        return False
    if leak.database.path is not None:
        name = named_there[3].lstrip("/.")
        gone_to_files = leak.database.path, leak.first.connection.configured  # a link leads elsewhere by itself
        return not name.startswith("file:") and not any(file.endswith(name) for file in gone_to_files)
    wanted, gone_to = place_of(engine.url), place_of(leak.first.connection.configured)
    if not wanted.host or not gone_to.host or "host=" in engine.url.partition("?")[2]:
        return False
    other_host = wanted.host != gone_to.host and not {wanted.host, gone_to.host} <= set(_HERE)
    other_port = bool(gone_to.port) and gone_to.port != wanted.port
    return other_host or other_port or gone_to.database not in ("", wanted.database, unquote(wanted.database))
