"""A statement is found by a line of it, and left out without moving the others."""

from __future__ import annotations

import ast

import pytest

from kit.detectors.planning.statements import statement_at

SOURCE = """\
import os
os.environ["URL"] = (
    "sqlite://"
)

def start(app):
    app.overrides.clear()  # all of them
    first(); second()
    if app: third()
"""


@pytest.mark.parametrize(("line", "first", "last"), [(1, 1, 1), (2, 2, 4), (3, 2, 4), (7, 7, 7)])
def test_a_statement_is_found_by_any_line_of_it(line: int, first: int, last: int) -> None:
    """The innermost simple statement that covers the line is returned, with all of its lines."""
    found = statement_at(SOURCE, line)
    assert found is not None
    assert (found.first, found.last) == (first, last)


@pytest.mark.parametrize("line", [5, 6, 8, 9, 99])
def test_a_line_that_holds_no_statement_of_its_own_gives_none(line: int) -> None:
    """Between statements, at the head of a block, and where two share a line, nothing is left out."""
    assert statement_at(SOURCE, line) is None


@pytest.mark.parametrize("line", [1, 2, 7])
def test_the_module_without_it_is_a_module_of_as_many_lines(line: int) -> None:
    """What stands instead does nothing, and every other line keeps its number."""
    found = statement_at(SOURCE, line)
    assert found is not None
    first, last, instead = found.left_out
    lines = SOURCE.splitlines()
    lines[first - 1 : last] = instead.splitlines()
    ast.parse("\n".join(lines))
    assert len(lines) == len(SOURCE.splitlines())
    assert lines[last:] == SOURCE.splitlines()[last:]


def test_text_that_is_no_python_gives_none() -> None:
    """A file that cannot be read as a module has no statement to leave out."""
    assert statement_at("def", 1) is None
