"""An event is defined by its dataclass: what is read of it follows from there, and the probes write nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import pytest

from kit.evidence.collect import _NO_ENTRY
from kit.evidence.model import Evidence
from kit.evidence.written import (
    STACK,
    CallableName,
    ConnectionName,
    Event,
    File,
    Mark,
    Stack,
    events_of,
    reader_of,
)

PROBES = Path(__file__).parents[2] / "kit" / "probes"
EVENTS = events_of(Evidence)
NOT_FIELDS = {"stack", "apart", "stacks", "moment"}  # of Recorder.event, beside the event's own fields
BY_VARIABLE = {("environ.py", "event"), ("environ.py", "plain")}  # a function there says which of two it is


@dataclass(frozen=True)
class Written:
    """A call of the recorder's, in the text of a probe: the event's name, and the fields that are named there."""

    where: str
    event: str
    fields: frozenset[str]


def written(source: str, file: str) -> Iterator[Written]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("event", "plain"):
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant):
                keywords = frozenset(word.arg for word in node.keywords if word.arg is not None)
                yield Written(f"{file}:{node.lineno}", str(name.value), keywords - NOT_FIELDS)
            elif (file, node.func.attr) not in BY_VARIABLE:
                yield Written(f"{file}:{node.lineno}", "", frozenset())


WRITTEN = [one for path in sorted(PROBES.rglob("*.py")) for one in written(path.read_text(), path.name)]


def wrong(one: Written) -> set[str]:
    """What a probe writes and no dataclass has: the event itself, or fields of it."""
    if one.event in _NO_ENTRY:
        return set()
    if one.event not in EVENTS:
        return {one.event}
    return set(one.fields) - {field.name for field in fields(EVENTS[one.event][1])}


@pytest.mark.parametrize("one", WRITTEN, ids=lambda one: f"{one.where}-{one.event}")
def test_the_probes_write_what_is_defined(one: Written) -> None:
    """Each event that a probe writes has a dataclass, and each of its fields is there."""
    assert wrong(one) == set()


def test_another_name_is_seen() -> None:
    """The rule says no to an event and to a field that nothing defines."""
    source = "r.event('engines', url=1)\nr.plain('engine', engin=1)\nr.event(which, x=1)\nr.event('engine', engine=2)"
    assert [wrong(one) for one in written(source, "x.py")] == [{"engines"}, {"engin"}, {""}, set()]


def test_each_event_is_written() -> None:
    """No definition is left of an event that no probe writes any more; one is written under a name in a variable."""
    assert set(EVENTS) - {one.event for one in WRITTEN} == {"mode"}


@dataclass(frozen=True)
class Part:
    """A value that the probes write as a list."""

    path: str
    calls: tuple[CallableName, ...]


@dataclass(frozen=True)
class New:
    """An event that nothing else knows of."""

    connection: ConnectionName
    at: Stack | None
    note: str
    of: CallableName | None = None
    lines: tuple[tuple[File, int], ...] | None = ()
    parts: tuple[Part, ...] = ()
    best: Part | None = None


@dataclass(frozen=True)
class Plain:
    """An event of which everything is taken as it is."""

    note: str


@dataclass(frozen=True)
class Run:
    """What keeps both."""

    news: Annotated[tuple[New, ...], Event("new")] = ()
    plain: Annotated[tuple[Plain, ...], Event("plain")] = ()
    others: tuple[str, ...] = ()


def meaning(mark: Mark, value: Any) -> Any:
    return value + 100 if mark is STACK else f"{mark.of}:{value}"


def test_a_new_event_is_its_dataclass_and_the_field_that_keeps_it() -> None:
    """The tables follow: which field keeps it, and what of it is given anew, at any depth."""
    assert events_of(Run) == {"new": ("news", New), "plain": ("plain", Plain)}
    assert reader_of(Plain) is None
    read = reader_of(New)
    assert read is not None
    event = {
        "kind": "new", "connection": "7:1", "at": 0, "note": "7:1", "of": None, "lines": [["a.py", 3]],
        "parts": [["/x", ["7:2"]]], "best": {"path": "/y", "calls": []},
    }  # fmt: skip
    assert read(event, meaning) == {
        "kind": "new", "connection": "c:7:1", "at": 100, "note": "7:1", "of": None, "lines": [["file:a.py", 3]],
        "parts": [{"path": "/x", "calls": ["d:7:2"]}], "best": {"path": "/y", "calls": []},
    }  # fmt: skip
    assert event["connection"] == "7:1"


def test_what_is_missing_or_of_another_type_is_left_to_the_check_of_types() -> None:
    """A value that cannot be what its mark says gets no meaning: then the event is invalid for its kind."""
    read = reader_of(New)
    assert read is not None
    assert read({"connection": 5, "lines": None}, meaning) == {"connection": 5, "lines": None}
    with pytest.raises(ValueError, match="longer than"):
        read({"parts": [["/x", [], 1]]}, meaning)
