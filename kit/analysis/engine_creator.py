"""Which function opens an engine's connections?"""

from __future__ import annotations

from kit.analysis.case import Case, named
from kit.analysis.model import first, location
from kit.evidence.model import Engine, Frame


def connected_by(case: Case, engine: Engine, opened: tuple[Frame, ...]) -> tuple[Frame | None, str]:
    """Return what opened an engine's connection: a function, a listener, or an argument of the engine."""
    maker = next((frame for frame in opened if frame.called_by == "sqlalchemy"), None)
    if maker is not None:
        return maker, f"{location(maker.file, maker.line)} {named(maker)}"
    listeners = [
        Frame(listener.file, listener.line, listener.function)
        for listener in case.evidence.connect_listeners
        if listener.engine == engine.engine
    ]
    if listeners:
        names = " or ".join(f"{location(frame.file, frame.line)} {named(frame)}" for frame in listeners)
        return listeners[0], f"{names}, a listener of do_connect,"
    return first(case.evidence.chain(engine)), "an argument of the engine, or a listener of a library,"
