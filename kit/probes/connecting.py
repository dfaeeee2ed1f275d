"""The engine and session that SQLAlchemy is connecting for, read from its stack frames before it fires any event."""

from __future__ import annotations

from types import FrameType
from typing import Any, Iterator, NamedTuple, Optional

from .frames import callers
from .objects import Objects, attribute
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly


class Connecting(NamedTuple):
    """The names of an engine and a session in the record, and the session itself; each None if unknown."""

    engine: Optional[str] = None
    session: Optional[str] = None
    held: Any = None


@quietly
def connecting(objects: Objects) -> Connecting:
    """Return the engine and session that a connection is being made for, read from the stack."""
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
    """Yield SQLAlchemy's frames on the stack, and those of the greenlet that awaits this coroutine."""
    for frame in callers("sqlalchemy"):
        yield frame
        if frame.f_code.co_name == "greenlet_spawn":
            waiting: Optional[FrameType] = getattr(frame.f_locals.get("context"), "gr_frame", None)
            while waiting is not None:
                yield waiting
                waiting = waiting.f_back
