"""The check of an exercise: tests a reader's answer on unseen values, and describes what is wrong.

An answer is *done*, *not started*, *wrong*, or *cannot be checked*: a list where a set is wanted, an unknown name, an
error. A check never raises and never reveals the answer.
"""

from __future__ import annotations

import copy
import difflib
import traceback
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "True or False"),
    (str, "a text"),
    (int, "a whole number"),
    ((set, frozenset), "a set"),
    (dict, "a dict"),
    ((list, tuple), "a list"),
)
_LABEL = "trial"  # the field that identifies which trial the evidence is from
_LIKE = 0.55  # least similarity of a suggested name, from 0 to 1
_NAMES_AT_MOST = 2  # at most, and never all names


class State(StrEnum):
    """The result of a check."""

    DONE = "done"
    NOT_STARTED = "not started"
    WRONG = "wrong"
    CANNOT = "cannot be checked"


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check and a hint; `hint` is empty when there is nothing to add."""

    state: State
    hint: str = ""


class NotDone(Exception):
    """An answer that is not done; raised within a check and shown at its end."""

    def __init__(self, state: State, hint: str = "") -> None:
        super().__init__(hint)
        self.checked = Checked(state, hint)


class Check:
    """The tests for an answer; each raises NotDone when the answer does not pass."""

    def calls(
        self, rule: object, *given: object, wanted: Any, hint: str, known: Iterable[str] = ()
    ) -> None:
        """Call a reader's function and compare type and value of its result with `wanted`.

        The function gets copies, and evidence without its trial, so that it can only use what was observed. `known` are
        the valid names in a set of strings; other names are reported as unknown.
        """
        if not callable(rule):
            raise NotDone(State.CANNOT, f"it is {_kind(rule)}; wanted: a function")
        try:
            found = rule(*map(_unlabelled, given))
        except AttributeError as error:
            if error.obj is None and any(hasattr(getattr(one, _LABEL, None), error.name or "") for one in given):
                raise NotDone(State.CANNOT, "it asks which trial this was; look at what was seen instead") from None
            raise
        self._kind(found, wanted)
        if isinstance(found, set | frozenset):
            names = set(known)
            self._known(found, names and names | set(wanted))
        if found != wanted:
            raise NotDone(State.WRONG, f"{hint} ({_difference(found, wanted)})")

    def given(self, *answers: object) -> None:
        """Require that all answers were replaced: None is no answer."""
        missing = sum(answer is None for answer in answers)
        if missing == len(answers):
            raise NotDone(State.NOT_STARTED)
        if missing:
            raise NotDone(State.CANNOT, f"still None: {missing} of {len(answers)} answers")

    def one_of(self, names: Collection[str], *answers: object) -> None:
        """Require that each answer is one of the names."""
        self.given(*answers)
        for answer in answers:
            self._kind(answer, "")
        self._known(map(str, answers), names)

    def some_of(self, names: Collection[str], *answers: object) -> None:
        """Require that each answer is a collection of the names, possibly empty."""
        self.given(*answers)
        for answer in answers:
            if isinstance(answer, str | Mapping) or not isinstance(answer, Collection):
                raise NotDone(State.CANNOT, f"it is {_kind(answer)}; wanted: names in a set, or in a list")
            for item in answer:
                if not isinstance(item, str):
                    raise NotDone(State.CANNOT, f"it has {_kind(item)} in it; wanted: names")
            self._known(answer, names)

    def same(self, answer: object, wanted: object, hint: str) -> None:
        """Compare the whole answer with `wanted`; the hint does not reveal which part is wrong."""
        if answer != wanted:
            raise NotDone(State.WRONG, hint)

    @staticmethod
    def _kind(found: object, wanted: object) -> None:
        if found is None and wanted is not None:
            raise NotDone(State.CANNOT, f"it returned None; wanted: {_kind(wanted)}, by a `return` at each end")
        types, kind = next((row for row in _KINDS if isinstance(wanted, row[0])), (object, ""))
        plain = found.item() if hasattr(found, "item") else found  # a number or boolean of numpy
        if not isinstance(plain, types) or (isinstance(plain, bool) and not isinstance(wanted, bool)):
            raise NotDone(State.CANNOT, f"it is {_kind(found)}; wanted: {kind}")
        if isinstance(found, set | frozenset) and isinstance(wanted, set | frozenset) and wanted:
            inside = type(next(iter(wanted)))
            for item in found:
                if not isinstance(item, inside):
                    raise NotDone(State.CANNOT, f"the set has {_kind(item)} in it; wanted: {_kind(next(iter(wanted)))}")

    @staticmethod
    def _known(found: Iterable[Any], names: Collection[str]) -> None:
        for name in found:
            if names and name not in names:
                raise NotDone(State.CANNOT, f"nothing is called {name!r}{_near(str(name), names)}")


def judged(error: Exception | None) -> Checked:
    """Return the result of a check from the error that ended its block; None means no error."""
    if error is None:
        return Checked(State.DONE)
    if isinstance(error, NotDone):
        return error.checked
    frames = list(traceback.walk_tb(error.__traceback__))
    if len(frames) <= 1:
        return _of_the_check(error)
    notebook = frames[0][0].f_globals
    mine = [(frame, line) for frame, line in frames[1:] if frame.f_globals is notebook]
    if isinstance(error, NotImplementedError) and mine[-1:] == frames[-1:]:
        return Checked(State.NOT_STARTED)
    where = f", in line {mine[-1][1]} of {mine[-1][0].f_code.co_name}" if mine else ""
    return Checked(State.CANNOT, f"it raises {type(error).__name__}: {error}{where}")


def _of_the_check(error: Exception) -> Checked:
    """The result for an error in the check itself, rather than in the answer."""
    if isinstance(error, AssertionError):
        return Checked(State.WRONG, str(error))
    if isinstance(error, NameError):
        return Checked(State.CANNOT, f"{error}: run the cell with your answer, and those above it, first")
    return Checked(State.CANNOT, f"{type(error).__name__}: {error}")


def _unlabelled(given: object) -> object:
    if is_dataclass(given) and not isinstance(given, type):
        labels = {field.name for field in fields(given)} & {_LABEL}
        return replace(given, **dict.fromkeys(labels))
    return copy.copy(given)


def _kind(value: object) -> str:
    for types, kind in _KINDS:
        if isinstance(value, types):
            return f"a {type(value).__name__}" if isinstance(types, tuple) else kind
    return "None" if value is None else f"a {type(value).__name__}"


def _difference(found: object, wanted: object) -> str:
    """How far the answer is off, without revealing the right one."""
    if isinstance(found, set | frozenset) and isinstance(wanted, set | frozenset):
        right = len(found & wanted)
        return f"{len(found)} named: {right} right, {len(found) - right} wrong, {len(wanted) - right} missing"
    shown = repr(found)
    return f"it said {shown if len(shown) <= 80 else shown[:80] + '…'}"


def _near(name: str, names: Collection[str]) -> str:
    most = max(1, min(_NAMES_AT_MOST, len(names) - 1))
    same_end = [one for one in names if one.rpartition("::")[2] == name]
    near = same_end or difflib.get_close_matches(name, names, most, _LIKE)
    return f"; did you mean {' or '.join(map(repr, near[:most]))}?" if near else ", and no similar name"
