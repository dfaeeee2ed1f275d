"""Exercises of a notebook: a stub in a code cell tagged `exercise`, a check, and a folded solution.

The solution is a Markdown cell tagged `solution` after the stub, with the code in a fence within `<details>`.
"""

from __future__ import annotations

import re
from typing import Any

from kit.errors import NotebookError

STUB_TAG = "exercise"
SOLUTION_TAG = "solution"
_FENCE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def put_solutions_in(nb: Any) -> None:
    """Replace each stub by its solution, in place. Raises NotebookError when one of the two is missing."""
    stub: Any = None
    for cell in nb.cells:
        tags = cell.metadata.get("tags", [])
        if STUB_TAG in tags:
            _refuse_unsolved(stub)
            stub = cell
        if SOLUTION_TAG in tags:
            code = _FENCE.search(cell.source)
            if stub is None or code is None:
                missing = "a stub before it" if stub is None else "a fence of Python"
                raise NotebookError(f"The solution {cell.get('id', '')!r} has not {missing}", remedy="add it")
            stub.source, stub = code.group(1).rstrip(), None
    _refuse_unsolved(stub)


def _refuse_unsolved(stub: Any) -> None:
    if stub is not None:
        found = f"The exercise {stub.get('id', '')!r} has no solution"
        raise NotebookError(found, remedy=f"add a cell tagged {SOLUTION_TAG!r} after it")
