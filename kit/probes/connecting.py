"""The engine and session for which SQLAlchemy is connecting, from its own frames, before any event tells."""

from __future__ import annotations

from types import FrameType
from typing import Any, Iterator, NamedTuple, Optional

from .frames import callers
from .objects import Objects, attribute
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly


class Connecting(NamedTuple):
    """The names of an engine and of a session, and the session itself; None where there is none."""

    engine: Optional[str] = None
    session: Optional[str] = None
    held: Any = None


@quietly
def connecting(objects: Objects) -> Connecting:
    """Say for whom a connection is being made; it may be asked for by a coroutine that a greenlet waits for."""
    engine = session = held = None
    for frame in _frames():
        name = frame.f_code.co_name
        if name == "__connect" and engine is None:
            pool = attribute(frame.f_locals.get("self"), "_ConnectionRecord__pool")
            engine = objects.of("engine", attribute(pool, "_dialect"))
        elif name == "_connection_for_bind" and session is None:
            begun = frame.f_locals.get("self")
            held = begun if objects.of("session", begun) else attribute(begun, "session")
            session = objects.of("session", held)
    return Connecting(engine, session, held if session is not None else None)


def _frames() -> Iterator[FrameType]:
    """SQLAlchemy's frames that led here, and those of the greenlet whose coroutine runs here."""
    for frame in callers("sqlalchemy"):
        yield frame
        if frame.f_code.co_name == "greenlet_spawn":
            waiting: Optional[FrameType] = getattr(frame.f_locals.get("context"), "gr_frame", None)
            while waiting is not None:
                yield waiting
                waiting = waiting.f_back
