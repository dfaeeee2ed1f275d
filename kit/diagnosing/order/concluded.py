"""A dependence in words: its causes with what to change, or why there is none. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kit.answer.diagnosis import Cause
from kit.detectors.kind import proposed
from kit.detectors.state import (
    state_left_by_collection,
    state_left_by_test,
    state_needed_from_collection,
    state_needed_from_test,
)
from kit.diagnosing.order.model import FILES, RUNNING, SESSIONS, Dependence, Line, Piece, Role, Unit
from kit.diagnosing.outside.contents import ALTERED, REPLACED, THERE

_AT_MOST = 3  # units that are named
_OF_A_CLASS = "the listeners of "
_LISTENERS = re.compile(  # of SQLAlchemy
    r"^the listeners of |\.dispatch(\.\w+(\[[^\]]*\])?(\.parent_listeners|\.listeners)?)?$"
)

# The event whose listeners a place has, under each of SQLAlchemy's names for the list of a class.
_EVENT = re.compile(r"^the listeners of \w+\.(?P<one>\w+)$|\._empty_listeners\['(?P<other>\w+)'\]\.parent_listeners$")


def is_proved(found: Dependence) -> bool:
    """Whether the deciding state is known."""
    return bool(found.pieces)


def causes(found: Dependence, number: int) -> Iterator[Cause]:
    """Yield a cause for each deciding piece of state."""
    pieces = _each_once(found.pieces)
    for piece in pieces:
        line = piece.written[0] if piece.written else None
        file, number_of_line = (line.file, line.line) if line else (None, None)
        yield Cause(
            proposed(_KINDS[found.role, found.unit], _sentence(found, piece), file, number_of_line),
            file,
            number_of_line,
            _remedy(found, piece),
            f"with {piece.place} as it was before {_units(found)}",
            len(pieces) == 1,
            number,
        )


def _each_once(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The pieces without those that are a listener under another name: SQLAlchemy keeps its list in two places.

    A class's own name for its list is the one to tell. A line that listens to an event of two classes has two of these.
    """
    of_a_class = {_listened(piece) for piece in pieces if piece.place.startswith(_OF_A_CLASS)}
    once: dict[object, Piece] = {}
    for piece in pieces:
        listened = _listened(piece)
        if listened is None or piece.place.startswith(_OF_A_CLASS):
            once.setdefault(piece.place, piece)
        elif listened not in of_a_class:
            once.setdefault(listened, piece)
    return tuple(once.values())


def _listened(piece: Piece) -> tuple[str, Line] | None:
    """The event whose listeners a place has, and the line that listens to it."""
    event = _EVENT.search(piece.place)
    return (event[event.lastgroup or 0], piece.written[0]) if event and piece.written else None


def said(found: Dependence) -> str:
    """One sentence on what the test depends on."""
    if found.role is Role.INDEPENDENT:
        return f"{found.test} was not found to depend on other tests: {found.reason}"
    if found.role is Role.VICTIM:
        return f"{found.test} passes alone and fails after {_units(found)}"
    return f"{found.test} fails alone and passes after {_units(found)}"


def unproved(found: Dependence) -> Iterator[str]:
    """Yield sentences on what was not shown."""
    if found.role is not Role.INDEPENDENT and not found.pieces:
        yield f"{said(found)}; {found.reason}."
        for piece in found.unrestored[:_AT_MOST]:
            yield f"{_units(found)} {_done_outside(found, piece)}. The kit cannot restore that, so it is not proved."
    if found.pieces and found.reason:
        yield f"{said(found)}; {found.reason}."
    if found.pieces and not found.alone_enough:
        names = " and ".join(piece.place for piece in found.pieces)
        yield (
            f"It is not shown that {names} alone decides: with everything else restored, {found.test} does not end as "
            f"it does after {_units(found)}."
        )


_KINDS = {
    (Role.VICTIM, Unit.TEST): state_left_by_test.NAME,
    (Role.VICTIM, Unit.MODULE): state_left_by_collection.NAME,
    (Role.NEEDY, Unit.TEST): state_needed_from_test.NAME,
    (Role.NEEDY, Unit.MODULE): state_needed_from_collection.NAME,
}


def _sentence(found: Dependence, piece: Piece) -> str:
    verb = "fails" if found.role is Role.VICTIM else "needs that to pass"
    done = _done_outside(found, piece) if piece.is_outside else f"{_describe_change(piece)} and does not restore it"
    return f"{_units(found)} {done}; {found.test} {verb}{_notes(piece)}"


def _describe_change(piece: Piece) -> str:
    if not piece.before:
        return f"sets {piece.place} to {piece.after}"
    if not piece.after:
        return f"removes {piece.place} (it was {piece.before})"
    if piece.before == piece.after:
        return f"changes {piece.place} ({piece.before})"
    return f"changes {piece.place} from {piece.before} to {piece.after}"


def _done_outside(found: Dependence, piece: Piece) -> str:
    """The clause on a change of a database or file, and the line that made it."""
    at = f" at {_at(found, piece)}" if piece.written else " by it"
    before = piece.before or ("not set" if piece.label.startswith("setting ") else "not there")
    if not piece.after:
        return f"leaves no {piece.place}, {'removed' if piece.group == FILES else 'dropped'}{at}"
    if piece.after.startswith(ALTERED):
        return f"leaves {piece.place} {piece.after}{',' if piece.written else ''}{at}"
    if piece.group == RUNNING:
        return f"leaves {piece.place} running, started{at}"
    if piece.after == THERE:
        return f"leaves {piece.place}, which was not there before, made{at}"
    if piece.group == FILES:
        return f"leaves {piece.place} with {piece.after} ({before} before), written{at}"
    if piece.after == REPLACED:
        return f"leaves {piece.place} {piece.after}{',' if piece.written else ''}{at}"
    if not piece.label.startswith("table "):
        return f"leaves {piece.place} at {piece.after} ({before} before), changed{at}"
    return f"leaves {piece.place} with {piece.after} ({piece.before or 'no such table'} before), written{at}"


def _at(found: Dependence, piece: Piece) -> str:
    """The line that wrote a piece, and the unit's own line that called it."""
    modules = {unit.partition("::")[0] for unit in found.units}
    own = next((line for line in piece.written if line.file in modules), piece.written[0])
    return str(own) if own == piece.written[0] else f"{piece.written[0]} (called at {own})"


def _notes(piece: Piece) -> str:
    said = [f"{file}:{line}: {text}" if file else text for text, file, line in piece.notes]
    return "".join(f". {one}" for one in said)


def _remedy(found: Dependence, piece: Piece) -> str:
    if found.role is Role.NEEDY and found.unit is Unit.MODULE:
        of = f" {piece.written[0].file}, or what else" if piece.written else " what"
        return f"Import{of} sets {piece.place} in {found.test.partition('::')[0]} or in conftest.py."
    if found.role is Role.NEEDY:
        return f"Let a fixture that {found.test} requests set {piece.place}, instead of relying on {_units(found)}."
    whose = f"after {found.units[0]}" if len(found.units) == 1 else "after the tests that change it"
    return f"Restore {piece.place} {whose}: {_by(piece, found)}."


def _by(piece: Piece, found: Dependence) -> str:
    """pytest's way to change such a place for one test only; a fixture when the test itself does not write it."""
    if piece.group == FILES:
        return "write to tmp_path instead, or remove it in a fixture, after its yield"
    if piece.group == RUNNING:
        return "let a fixture end it and wait for it, after its yield"
    if piece.is_outside:
        if not piece.after or piece.after.startswith(ALTERED) or piece.after == REPLACED:
            return "let a fixture make it again as it was, after its yield, or give that test a database of its own"
        if piece.group == SESSIONS:
            return "let a fixture undo it on that connection, after its yield (in Postgres, `set local` ends by itself)"
        if piece.label.startswith(("role ", "database ")):
            return "let a fixture drop it after its yield"
        if piece.label.startswith("setting "):
            return "let a fixture reset it after its yield"
        rolled = f"roll back what {piece.written[0]} writes" if piece.written else "roll it back"
        return f"let a fixture {rolled}, or delete it after its yield"
    if piece.after.startswith("a cache of "):
        return f"call {piece.place}.cache_clear() in a fixture, after its yield"
    if _LISTENERS.search(piece.place):
        return "sqlalchemy.event.remove(...) in a fixture, after its yield, takes the listener away"
    if piece.label.startswith("[id("):
        return "let a fixture disconnect it after its yield"
    modules = {unit.partition("::")[0] for unit in found.units}
    if piece.written and piece.written[0].file not in modules and not piece.written[0].file.endswith("conftest.py"):
        return f"in a fixture, after its yield (the test changes it through {piece.written[0]})"
    if piece.place.startswith("os.environ["):
        return f"monkeypatch.setenv({piece.label[1:-1]}, ...) ends with the test"
    if piece.label == "working directory":
        return "monkeypatch.chdir(...) ends with the test"
    if piece.holder.startswith("sys.path"):
        return "monkeypatch.syspath_prepend(...) ends with the test"
    if piece.label.startswith("[") and piece.group != "fixtures":
        return f"monkeypatch.setitem({piece.holder}, {piece.label[1:-1]}, ...) ends with the test"
    if piece.label.startswith(".") and piece.group != "fixtures":
        return f"monkeypatch.setattr({piece.holder}, {piece.label[1:]!r}, ...) ends with the test"
    return "in a fixture, after its yield"


def _units(found: Dependence) -> str:
    names = list(found.units[:_AT_MOST])
    more = f" and {len(found.units) - _AT_MOST} more" if len(found.units) > _AT_MOST else ""
    named = ", ".join(names) + more
    return f"the collection of {named}" if found.unit is Unit.MODULE else named
