"""Exercises: a stub, a check, and a solution that is folded away."""

from __future__ import annotations

import pytest

from kit.errors import NotebookError
from kit.notebooks.investigate.exercises import put_solutions_in
from tests.kit_notebooks.investigate.samples import cell, notebook, text

STUB = cell("def double(x):\n    ...", "double", "exercise")
SOLUTION = text(
    "<details><summary>Solution</summary>\n\n```python\ndef double(x):\n    return 2 * x\n```\n</details>",
    "double-solution",
    "solution",
)


def test_a_solution_takes_the_place_of_its_stub() -> None:
    """The code of each folded solution is put into the stub before it, and nothing else changes."""
    nb = notebook(["1", STUB.copy(), SOLUTION.copy()])
    put_solutions_in(nb)
    assert [found.source for found in nb.cells[:2]] == ["1", "def double(x):\n    return 2 * x"]


@pytest.mark.parametrize(
    ("cells", "missing"),
    [
        ([STUB], "has no solution"),
        ([STUB, cell("...", "other", "exercise"), SOLUTION], "has no solution"),
        ([SOLUTION], "has not a stub before it"),
        ([STUB, text("<details>none</details>", "empty", "solution")], "has not a fence of Python"),
    ],
)
def test_half_an_exercise_is_refused(cells: list[object], missing: str) -> None:
    """A stub without a solution, a solution without a stub, and one without code are mistakes."""
    with pytest.raises(NotebookError, match=missing):
        put_solutions_in(notebook([found.copy() for found in cells]))  # type: ignore[attr-defined]
