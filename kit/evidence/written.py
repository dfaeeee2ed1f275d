"""Convert the probes' events to values of `kit.evidence.model`, by annotations of the fields there.

An event is defined in one place: its dataclass in `kit.evidence.model`, and the field of `Evidence` that holds it and
names the event (`Event`). A value that is only valid within its process is annotated in the type of its field, at any
depth: a name that is renumbered for the whole run (`ConnectionName` ...), a file (`File`), the number of a stack
(`Stack`). `kit.evidence.collect` reads events by these annotations, and `tests/evidence/test_events.py` compares them
with what the probes write: probes run without the kit installed and import nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True)
class Event:
    """The name of the event, as the probes write it, whose values a field of `Evidence` holds."""

    name: str


@dataclass(frozen=True, slots=True)
class Mark:
    """The kind of a value that is only valid within its process. `of` is a letter, the prefix of the run-wide name."""

    of: str


FILE, STACK, MODULE = Mark("file"), Mark("stack"), Mark("module")

ConnectionName = Annotated[str, Mark("c")]
EngineName = Annotated[str, Mark("e")]
SessionName = Annotated[str, Mark("s")]
RequestName = Annotated[str, Mark("r")]
AppName = Annotated[str, Mark("a")]
CallableName = Annotated[str, Mark("d")]
LoopName = Annotated[str, Mark("l")]
FactoryName = Annotated[str, Mark("f")]
ObjectName = Annotated[str, Mark("o")]
File = Annotated[str, FILE]
Stack = Annotated[int, STACK]
ModuleName = Annotated[str, MODULE]
"""A module's name, or `app` and the name of an application."""

Meaning = Callable[[Mark, Any], Any]
"""Returns what a marked value stands for in the whole run."""
Reader = Callable[[Any, Meaning], Any]


def events_of(evidence: type[Any]) -> Mapping[str, tuple[str, type[Any]]]:
    """The events: {event: (the field of `evidence` that holds them, their dataclass)}."""
    return {
        mark.name: (field, get_args(get_args(hint)[0])[0])
        for field, hint in get_type_hints(evidence, include_extras=True).items() if get_origin(hint) is Annotated
        for mark in get_args(hint)[1:]
    }


def reader_of(hint: Any) -> Reader | None:
    """A function that replaces every marked value within a value of this type; None when the type has no mark.

    A dataclass may be written as a list of its fields, and is converted to a dictionary. Missing fields are left to the
    type check.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _marked(arguments[1])
    if origin in (Union, UnionType):
        return next(filter(None, map(reader_of, arguments)), None)
    if origin is tuple:
        return _each(arguments[0]) if arguments[-1] is Ellipsis else _in_turn(arguments)
    return _fields(hint) if is_dataclass(hint) and isinstance(hint, type) else None


def _marked(mark: Mark) -> Reader:
    kind = object if mark is STACK else str  # a damaged number still counts as one, of a stack that is lost
    return lambda value, meaning: meaning(mark, value) if isinstance(value, kind) else value


def _each(hint: Any) -> Reader | None:
    reader = reader_of(hint)
    if reader is None:
        return None
    return lambda value, meaning: value and [reader(one, meaning) for one in value]


def _in_turn(hints: tuple[Any, ...]) -> Reader | None:
    readers = [reader_of(hint) for hint in hints]
    if not any(readers):
        return None
    return lambda value, meaning: value and [
        reader(one, meaning) if reader else one for reader, one in zip(readers, value, strict=True)
    ]


def _fields(hint: type[Any]) -> Reader | None:
    hints = get_type_hints(hint, include_extras=True)
    readers = {name: reader for name, reader in ((name, reader_of(one)) for name, one in hints.items()) if reader}
    if not readers:
        return None

    def read(value: Any, meaning: Meaning) -> Any:
        if value is None:
            return None
        found = dict(zip(hints, value, strict=True)) if isinstance(value, list) else dict(value)
        for name, reader in readers.items():
            if found.get(name) is not None:
                found[name] = reader(found[name], meaning)
        return found

    return read
