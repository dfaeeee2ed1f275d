"""Types of parameters: what an annotation allows, how it is named, and what a text from the command line is read as."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest

from kit.notebooks.investigate.parameter_types import Misfit, fitted, from_text, of_annotation, of_default, words


def type_of(annotation: str) -> Any:
    return of_annotation(ast.parse(annotation, mode="eval").body)


@pytest.mark.parametrize(
    ("annotation", "named"),
    [
        ("int", "int"), ("Optional[int]", "int or None"), ("typing.Optional[int]", "int or None"),
        ("None | str", "str or None"), ("int | str | None", "int or str or None"), ("Union[int, str]", "int or str"),
        ("'int | None'", "int or None"), ("Literal['a', 'b']", "'a' or 'b'"), ("Literal[1] | None", "1 or None"),
        ("list", "list"), ("List[int]", "list of int"), ("list[int | None]", "list of (int or None)"),
        ("dict[str, float]", "dict of str to float"), ("Dict", "dict"), ("list[list[int]]", "list of list of int"),
        ("datetime", "any literal"), ("int | datetime", "any literal"), ("tuple[int, int]", "any literal"),
        ("'int |'", "any literal"), ("Any", "any literal"),
    ],
)  # fmt: skip
def test_an_annotation_is_named_in_words(annotation: str, named: str) -> None:
    """Each way to write a type is understood, and what is not is any value."""
    assert words(type_of(annotation)) == named


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("int | str", "3", 3), ("int | str", "three", "three"), ("str", "3", "3"), ("str | None", "null", None),
        ("bool | int", "1", 1), ("bool | int", "yes", True), ("bool | None", "none", None), ("float", "2", 2.0),
        ("float", "-inf", -math.inf), ("int | float", "2", 2), ("list[int | None]", "[1, null]", [1, None]),
        ("list[float]", "[1, inf]", [1.0, math.inf]), ("list[bool]", "[true, False]", [True, False]),
        ("dict[str, list[int]]", "{'a': [1]}", {"a": [1]}), ("Literal[1, 'x'] | None", "1", 1),
        ("Literal['a'] | int", "7", 7), ("Any", "[1, null]", [1, None]), ("Any", "a, b", "a, b"), ("Any", "", ""),
    ],
)  # fmt: skip
def test_a_text_is_read_as_the_most_special_type(annotation: str, text: str, value: object) -> None:
    """Of several types the one that says most counts; values and their types are those of a notebook's own cell."""
    taken = from_text(text, type_of(annotation))
    assert (taken, type(taken)) == (value, type(value))


@pytest.mark.parametrize("text", ["nan", "NaN", "-nan"])
def test_a_number_that_is_none_is_a_float(text: str) -> None:
    """`nan` can be given, as papermill takes it."""
    assert math.isnan(from_text(text, float))


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        ("int", "1.0"), ("int", "nan"), ("int | None", "nothing"), ("list[int]", "[1, null]"), ("list[int]", "[1.5]"),
        ("list[int]", "(1, 2)"), ("dict[str, int]", "{1: 1}"), ("Literal['a']", "b"), ("bool", "maybe"),
        ("float", "[1]"), ("list[int]", "[" * 300), ("list", "[open('x')]"), ("list", "[x]"),
    ],
)  # fmt: skip
def test_a_text_of_another_type_is_refused(annotation: str, text: str) -> None:
    """What does not fit is refused down to the items of lists, and no code of it is run."""
    with pytest.raises(Misfit):
        from_text(text, type_of(annotation))


@pytest.mark.parametrize(
    ("annotation", "value"),
    [("int", True), ("bool", 1), ("Literal[1]", True), ("list[int]", [True]), ("str", None), ("float", "1"),
     ("int", 1.0)],
)  # fmt: skip
def test_a_value_is_not_taken_for_one_of_another_type(annotation: str, value: object) -> None:
    """Python's truth values are no numbers here, and numbers no texts."""
    with pytest.raises(Misfit):
        fitted(value, type_of(annotation))


@pytest.mark.parametrize(
    ("default", "named"),
    [("3", "int"), ("3.0", "float"), ("'a'", "str"), ("True", "bool"), ("[1]", "list"), ("{}", "dict"),
     ("None", "any literal"), ("(1, 2)", "any literal"), ("len('a')", "any literal")],
)  # fmt: skip
def test_a_default_gives_the_type_where_there_is_no_annotation(default: str, named: str) -> None:
    """What a default is, a given value must be; None and what is computed allow anything."""
    found = of_default(ast.parse(default, mode="eval").body)
    assert words(found) == named
