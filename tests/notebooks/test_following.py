from __future__ import annotations

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.notebooks.following import sentences_that_do_not_follow, switches
from tests.notebooks.sources import NOTEBOOKS, read


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_sentence_follows_the_parameters_that_its_prediction_follows(path: Path) -> None:
    """A claim that expects another thing with other parameters says another thing, or it would read as its opposite."""
    notebook = read(path)
    assert sentences_that_do_not_follow(notebook, switches(notebook)) == []


def test_a_sentence_that_stays_while_its_prediction_changes_is_found() -> None:
    """By a parameter, by what is made from one, and by a function that reads one; what was run is no prediction."""
    notebook = new_notebook(cells=[  # type: ignore[no-untyped-call]
        new_code_cell("on: bool = True  # a switch", metadata={"tags": ["parameters"]}),  # type: ignore[no-untyped-call]
        new_code_cell("predicted = 1 if on else 0\nseen = run(on)"),  # type: ignore[no-untyped-call]
        new_code_cell("def of():\n    return predicted"),  # type: ignore[no-untyped-call]
        new_code_cell('claim("constant", "It is 1.", expected=1, observed=seen)'),  # type: ignore[no-untyped-call]
        new_code_cell('claim("itself", "It is on.", expected=on, observed=seen)'),  # type: ignore[no-untyped-call]
        new_code_cell('claim("made", "It is predicted.", expected=of(), observed=seen)'),  # type: ignore[no-untyped-call]
        new_code_cell('claim("said", f"It is {predicted}.", expected=of(), observed=seen)'),  # type: ignore[no-untyped-call]
        new_code_cell('claim("run", "It was run.", expected=len(seen), observed=seen)'),  # type: ignore[no-untyped-call]
    ])
    assert sentences_that_do_not_follow(notebook, switches(notebook)) == ["itself", "made"]
