from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.notebooks.sources import (
    MUTATIONS,
    NOTEBOOKS,
    WRONG_ANSWERS,
    claims,
    claims_in,
    code,
    exercises,
    mutations,
    predictions,
    read,
    wrong_answers,
)

# What gives a notebook's own prediction away: its text, its column of verdicts, or a line that prints it.
OWN_PREDICTION = re.compile(
    r"^\*Prediction\.\*|\| if the (hypothesis|answer) is right \||print\(.*\{(predicted|where)\}", re.MULTILINE
)
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


@each_notebook
def test_the_title_is_a_question_and_the_answer_stands_below_it(path: Path) -> None:
    """Who reads the first cell alone knows the question, the answer, how long it takes and what it touches."""
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# .+\?\n", first.source)
    for part in ("**Answer.**", "| Time |", "| Takes for granted |", "| Touches |"):
        assert part in first.source
    [set_up] = re.findall(r"\| Order \| run the first (two|three) code cells first", first.source)
    assert "start(" in code(read(path))[1 if set_up == "two" else 2].source


@each_notebook
def test_there_are_at_most_six_parameters_each_with_its_comment(path: Path) -> None:
    """The parameters fit a glance, and each says what it is."""
    cell = next(cell for cell in code(read(path)) if "parameters" in cell.metadata.get("tags", []))
    lines = cell.source.splitlines()
    assert len(lines) <= 6
    assert all(re.fullmatch(r"\w+: [\w\[\] |]+ = .+  # .+", line) for line in lines)


@each_notebook
def test_sources_carry_no_outputs_and_readable_ids(path: Path) -> None:
    """A notebook's source is text that a person wrote: no outputs, no counts, and cells that have names."""
    notebook = read(path)
    assert not [cell["id"] for cell in code(notebook) if cell.outputs or cell.execution_count]
    ids = [cell["id"] for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", id) for id in ids)
    assert not [id for id in ids if re.fullmatch(r"[0-9a-f]{8,}", id)]


@each_notebook
def test_code_fits_the_page(path: Path) -> None:
    """Code is short and no wider than a page; what is longer lives in the kit, with its tests."""
    for cell in code(read(path)):
        lines = cell.source.splitlines()
        assert max(map(len, lines)) <= 100, cell["id"]
        statements = [node for node in ast.parse(cell.source).body if not isinstance(node, ast.Import | ast.ImportFrom)]
        assert len(lines) <= 16, cell["id"]
        assert len(statements) <= 6, cell["id"]


@each_notebook
def test_every_claim_has_a_mutation_and_every_mutation_a_claim(path: Path) -> None:
    """A claim that nothing can make fall says nothing."""
    found = claims(read(path))
    assert len(set(found)) == len(found)
    assert {mutation.claim for mutation in mutations(path)} == set(found)


@each_notebook
def test_every_prediction_is_answered_by_a_claim_below_it(path: Path) -> None:
    """A question has two options or more, each with why it is wrong, and the claim of its id is still to come."""
    cells = read(path).cells
    asked = [(index, id, options) for index, cell in enumerate(cells) for id, options in predictions(cell).items()]
    assert len({id for _, id, _ in asked}) == len(asked)
    for index, id, options in asked:
        below = [claim for cell in cells[index + 1 :] for claim in claims_in(cell)]
        assert id in below, f"no claim {id} stands below its prediction"
        assert len(options) >= 2, id


@each_notebook
def test_a_reader_predicts_before_the_notebook_does(path: Path) -> None:
    """Within a section no cell above a prediction says what the notebook itself predicts."""
    told: list[str] = []
    early = []
    for cell in read(path).cells:
        if cell.cell_type == "markdown" and re.search(r"^##+ ", cell.source, re.MULTILINE):
            told = []
        if predictions(cell):
            early += [(cell["id"], above) for above in told]
        if claims_in(cell):
            told = []  # it is decided, and what follows is another question
        if OWN_PREDICTION.search(cell.source):
            told.append(cell["id"])
    assert early == []


@each_notebook
def test_a_prediction_does_not_show_its_reasons(path: Path) -> None:
    """JupyterLab folds the code of a prediction, in which its reader would find why an answer is wrong."""
    asking = [cell for cell in read(path).cells if predictions(cell)]
    assert [cell["id"] for cell in asking if not cell.metadata.get("jupyter", {}).get("source_hidden")] == []


def test_each_notebook_leads_to_the_next() -> None:
    """The lessons end with a question, and a link to the notebook that answers it, in the order of the folder."""
    for path, after in pairwise(NOTEBOOKS):
        [lessons] = [cell.source for cell in read(path).cells if cell["id"] == "lessons"]
        assert re.search(rf"\*\*Next question:\*\*[^\n]*(\n[^\n]+)*\n→ \[[^\]]+\]\({after.name}\)", lessons), path.name


def test_no_mutations_are_left_of_notebooks_that_are_gone() -> None:
    """Each file of mutations belongs to a notebook."""
    assert {file.stem for file in MUTATIONS.glob("*.toml")} <= {path.stem for path in NOTEBOOKS}


@each_notebook
def test_every_exercise_is_a_stub_a_check_and_a_folded_solution(path: Path) -> None:
    """An exercise can be worked on, says whether it is done, and has a solution that a reader must open."""
    cells = read(path).cells
    stubs = [index for index, cell in enumerate(cells) if "exercise" in cell.metadata.get("tags", [])]
    assert stubs
    for stub in stubs:
        check, solution = cells[stub + 1], cells[stub + 2]
        assert "with exercise(" in check.source
        assert "solution" in solution.metadata.get("tags", [])
        assert "<details>" in solution.source


@each_notebook
def test_every_exercise_has_wrong_answers_that_its_check_must_refuse(path: Path) -> None:
    """A check that accepts anything teaches what is false: at least three wrong answers to each, each with a hint."""
    answers = wrong_answers(path)
    assert {answer.exercise for answer in answers} == set(exercises(read(path)))
    for id in exercises(read(path)):
        assert sum(answer.exercise == id for answer in answers) >= 3, id
    assert len({answer.why for answer in answers}) == len(answers)
    assert {answer.state for answer in answers} <= {"wrong", "cannot be checked"}
    assert not [answer.why for answer in answers if len(answer.says) < 10]


def test_no_wrong_answers_are_left_of_notebooks_that_are_gone() -> None:
    """Each file of wrong answers belongs to a notebook."""
    assert {file.stem for file in WRONG_ANSWERS.glob("*.toml")} <= {path.stem for path in NOTEBOOKS}
