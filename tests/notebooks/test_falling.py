from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.notebooks.falling import what_fell
from tests.notebooks.sources import Mutation, WrongAnswer

CELLS = {
    "first": "from kit.notebooks.cells import claim\nbase = 1",
    "twice": "double = 2 * base",
    "one": 'claim("one", "It is one.", expected=1, observed=base)',
    "two": 'claim("two", "It is two.", expected=2, observed=double)',
}


def notebook(**changed: str) -> Any:
    cells = [new_code_cell(source, id=id) for id, source in {**CELLS, **changed}.items()]  # type: ignore[no-untyped-call]
    return new_notebook(cells=cells)  # type: ignore[no-untyped-call]


def ran(nb: Any, *mutations: Mutation) -> dict[str, str]:
    return asyncio.run(what_fell(nb, mutations, Path.cwd(), os.environ))[0]


def test_each_change_is_told_by_what_it_makes_fall() -> None:
    """The claim that fell; an earlier one, where that falls first; an error by its name; nothing, where all hold."""
    assert ran(
        notebook(),
        Mutation("one", "first", "base = 1", "base = 3"),
        Mutation("two", "twice", "2 * base", "5 * base"),
    ) == {"one": "one", "two": "two"}
    assert ran(notebook(), Mutation("two", "first", "base = 1", "base = 2")) == {"two": "one"}
    assert ran(notebook(), Mutation("two", "twice", "base", "nothing")) == {
        "two": "NameError: name 'nothing' is not defined"
    }
    assert ran(notebook(), Mutation("two", "twice", "2 * base", "base + base")) == {"two": ""}


def test_a_notebook_that_fails_as_it_stands_is_an_error() -> None:
    """What a change has left does not reach the cells as they stand, and what fails there is told."""
    with pytest.raises(AssertionError, match="one"):
        ran(notebook(first=CELLS["first"].replace("base = 1", "base = 4")), Mutation("two", "two", "2,", "3,"))


def test_each_wrong_answer_is_told_by_what_its_check_says() -> None:
    """Each is checked where its stub stands, after all that is above; the stub itself has not started."""
    stub, check = "def double(x):\n    raise NotImplementedError", (
        'from kit.notebooks.cells import exercise\nwith exercise("double") as check:\n'
        '    check.calls(double, base, wanted=2 * base, hint="twice as much")'
    )
    answers = [
        WrongAnswer("double", "the same", "def double(x):\n    return x", "twice"),
        WrongAnswer("double", "right", "def double(x):\n    return 2 * x", ""),
    ]
    nb = notebook(stub=stub, check=check)
    _, said = asyncio.run(what_fell(nb, [], Path.cwd(), os.environ, answers))
    assert {why: (one.state, one.hint) for why, one in said.items()} == {
        "the same": ("wrong", "twice as much (it said 1)"), "right": ("done", ""),
    }
