"""The check of an exercise: what it says of an answer that is not done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from kit.notebooks.checks import Check, Checked, State, judged

NAMES = ("early_import", "global_engine", "startup_work")


def said(ask: Callable[[Check], None]) -> Checked:
    """What comes of a check that asks this."""
    try:
        ask(Check())
    except Exception as error:
        return judged(error)
    return judged(None)


def of(answer: Any, wanted: Any = frozenset({"a", "b"}), **more: Any) -> Checked:
    """What is said of a function that returns this."""
    return said(lambda check: check.calls(lambda _: answer, 1, wanted=wanted, hint="look again", **more))


@pytest.mark.parametrize(
    ("answer", "wanted", "hint"),
    [
        (["a", "b"], {"a", "b"}, "it is a list; wanted: a set"),
        ("a", {"a", "b"}, "it is a text; wanted: a set"),
        ({"a": 1}, {"a", "b"}, "it is a dict; wanted: a set"),
        ({1}, {"a", "b"}, "the set has a whole number in it; wanted: a text"),
        (1, True, "it is a whole number; wanted: True or False"),
        ("True", True, "it is a text; wanted: True or False"),
        (True, 1, "it is True or False; wanted: a whole number"),
        (None, {"a"}, "it returned None; wanted: a set, by a `return` at each end"),
    ],
)
def test_a_wrong_type_is_told_as_a_type(answer: Any, wanted: Any, hint: str) -> None:
    """What is of another type than the answer's is named by its type, and not called wrong."""
    assert of(answer, wanted) == Checked(State.CANNOT, hint)


def test_a_wrong_value_is_wrong_and_the_right_one_is_not_said() -> None:
    """How far a set is off is told by numbers, another value as it was said."""
    assert of({"a", "c"}) == Checked(State.WRONG, "look again (2 named: 1 right, 1 wrong, 1 missing)")
    assert of(False, True) == Checked(State.WRONG, "look again (it said False)")
    assert of({"a", "b"}).state is of(frozenset({"b", "a"})).state is State.DONE


def test_a_truth_value_of_numpys_is_one() -> None:
    """What pandas makes of a comparison is as good as Python's own."""
    import numpy

    assert of(numpy.True_, True).state is State.DONE


def test_what_is_not_answered_has_not_started() -> None:
    """None, and a stub that raises NotImplementedError itself, are not wrong; an answer in part is not checked."""

    def stub(_: object) -> None:
        raise NotImplementedError

    assert said(lambda check: check.given(None, None)).state is State.NOT_STARTED
    assert said(lambda check: check.calls(stub, 1, wanted=1, hint="")).state is State.NOT_STARTED
    assert said(lambda check: check.given("a", None)) == Checked(State.CANNOT, "still None: 1 of 2 answers")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ({"early_imprt"}, "nothing is called 'early_imprt'; did you mean 'early_import'?"),
        ({"xyz"}, "nothing is called 'xyz', and no similar name"),
        ("early_import", "it is a text; wanted: names in a set, or in a list"),
        ([1], "it has a whole number in it; wanted: names"),
    ],
)
def test_a_misspelt_name_gets_those_that_are_near(answer: Any, hint: str) -> None:
    """A name that nothing has is not wrong but misspelt: what is like it is named, and never the whole list."""
    assert said(lambda check: check.some_of(NAMES, answer)) == Checked(State.CANNOT, hint)


def test_one_of_several_is_a_text() -> None:
    """A single name is read like several."""
    assert said(lambda check: check.one_of(NAMES, "early_import")).state is State.DONE
    assert said(lambda check: check.one_of(NAMES, ["early_import"])).hint == "it is a list; wanted: a text"
    assert "did you mean 'startup_work'" in said(lambda check: check.one_of(NAMES, "startup_wrk")).hint


def test_the_names_that_a_function_can_return_are_known_by_their_end_too() -> None:
    """A test that is named without its file is misspelt, and not wrong."""
    known = ["tests/test_a.py::test_one", "tests/test_a.py::test_two"]
    assert of({"test_one"}, {known[0]}, known=known) == Checked(
        State.CANNOT, "nothing is called 'test_one'; did you mean 'tests/test_a.py::test_one'?"
    )


@dataclass(frozen=True)
class _Seen:
    trial: str | None
    rows: int


def test_an_answer_is_given_what_was_seen_and_neither_its_label_nor_the_object_itself() -> None:
    """Neither the name of a trial nor the identity of its evidence tells an answer what to say."""
    seen, given = _Seen("leaky", 731), []
    said(lambda check: check.calls(given.append, seen, wanted=None, hint=""))
    assert given == [_Seen(None, 731)]
    asks = said(lambda check: check.calls(lambda one: one.trial.upper(), seen, wanted="", hint=""))
    assert asks == Checked(State.CANNOT, "it asks which trial this was; look at what was seen instead")
    rows = [1]
    said(lambda check: check.calls(list.clear, rows, wanted=None, hint=""))
    assert rows == [1]


def test_an_error_is_told_with_its_line() -> None:
    """An error within the answer is no verdict on it; an assertion of the answer's own is none of the check's."""

    def fails(_: object) -> None:
        assert [] == [1], "its own"

    found = said(lambda check: check.calls(fails, 1, wanted=1, hint=""))
    assert found.state is State.CANNOT
    assert found.hint.startswith("it raises AssertionError: its own")
    assert found.hint.endswith("of fails")


def test_what_is_no_function_is_told() -> None:
    """An exercise that asks for a function is not called with something else."""
    assert said(lambda check: check.calls({"a"}, 1, wanted=True, hint="look again")) == Checked(
        State.CANNOT, "it is a set; wanted: a function"
    )
    assert said(lambda check: check.calls(None, 1, wanted=True, hint="look again")).hint.startswith("it is None")


def test_a_whole_answer_is_compared_without_saying_what_is_wrong_in_it() -> None:
    """What differs is not told, only the hint."""
    assert said(lambda check: check.same({1, 2}, {1, 2}, "look again")) == Checked(State.DONE)
    assert said(lambda check: check.same({1, 2}, {1, 3}, "look again")) == Checked(State.WRONG, "look again")


def test_an_attribute_that_is_missing_elsewhere_is_told_as_what_it_is() -> None:
    """Only a question for the trial's label is answered with a hint of its own."""
    found = said(lambda check: check.calls(lambda _: Check().nothing, 1, wanted=True, hint=""))  # type: ignore[attr-defined]
    assert found.hint is not None
    assert "AttributeError" in found.hint
