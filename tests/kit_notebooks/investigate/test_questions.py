from __future__ import annotations

from typing import Any

from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from kit.notebooks.investigate.pages import notebook
from kit.notebooks.investigate.questions import as_text
from kit.notebooks.investigate.results import NotebookRun, Status
from kit.notebooks.investigate.saved import Outcome

ASKS = (
    'predict("one", "Which of `a` "\n        "and <b>?", {"HOLDS": "the first reason", "x < y": "the second"})\n'
    'predict("two", "And then?", {"0": "no", "1": "yes"})'
)


def folded(source: str) -> Any:
    return new_code_cell(source, metadata={"jupyter": {"source_hidden": True}})  # type: ignore[no-untyped-call]


def test_a_prediction_is_its_questions_and_options() -> None:
    """Each question stands above its options, and no reason is said."""
    assert as_text(folded(ASKS)) == (
        "**Predict.** Which of `a` and &lt;b&gt;?\n\n- HOLDS\n- x &lt; y\n\n**Predict.** And then?\n\n- 0\n- 1"
    )


def test_any_other_cell_asks_nothing() -> None:
    """Text, code in the open, without a prediction, or no Python; a question that a run must fill in; an error."""
    failed = folded(ASKS)
    failed.outputs = [new_output("stream", text="an error")]  # type: ignore[no-untyped-call]
    others = [new_markdown_cell(ASKS), new_code_cell(ASKS), folded("x = 1"), folded("%time predict(1)"),
              folded(ASKS.replace('"And then?"', "f'{x}?'")), failed]  # type: ignore[no-untyped-call]
    assert [as_text(cell) for cell in others] == [""] * len(others)


def test_a_page_shows_the_questions_and_not_the_reasons() -> None:
    """Who reads a page can predict before reading on, as who sits at the notebook can."""
    from nbformat.v4 import new_notebook

    nb = new_notebook(cells=[folded(ASKS), new_code_cell("kept = 1")])  # type: ignore[no-untyped-call]
    page = notebook(NotebookRun("one", Status.HELD, Outcome(2, 2, 0.5), ()), nb)
    assert "<strong>Predict.</strong> Which of <code>a</code> and &lt;b&gt;?" in page
    assert "<li>HOLDS</li>" in page
    assert "reason" not in page.partition("<body")[2]
    assert "kept" in page
