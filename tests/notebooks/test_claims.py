from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import nbformat
import pytest

from kit.notebooks.investigate import investigate
from kit.notebooks.investigate.claims import Exercise
from kit.notebooks.investigate.results import Investigation, NotebookRun, Status
from kit.notebooks.predictions import is_observed
from kit.pair import Pair
from kit.report.words import words
from kit.trials import fork_server
from kit.trials.run_folder import RUN_VARIABLE, SHELF_VARIABLE, Run
from kit.trials.runner import usable_cpus
from kit.trials.workspace import base_environ
from tests.notebooks.falling import what_fell
from tests.notebooks.sources import (
    LONGEST,
    NOTEBOOKS,
    WrongAnswer,
    claims,
    companions,
    for_mutations,
    mutations,
    parameters,
    predictions,
    read,
    wrong_answers,
)

pytestmark = [
    pytest.mark.usefixtures("shared_trials"),
    pytest.mark.timeout(1200),  # the full design, on a machine that may be busy
]
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


# All but the longest run with their defaults in both; its whole design is in every `make investigate`, too.
DESIGNS = {"a part of the longest": parameters(LONGEST), "all defaults": {}}


@pytest.mark.parametrize("values", DESIGNS.values(), ids=DESIGNS)
def test_every_claim_holds(values: dict[str, object], tmp_path: Path, own_pair: Pair) -> None:
    """In one run of all, with its exercises solved, a notebook ends green, and its page can be read by everybody."""
    result = investigate(NOTEBOOKS, values, out=tmp_path, solved=True)
    assert result.folder is not None, result.reason
    for path in NOTEBOOKS:
        assert_green(run_of(path, result), claims(read(path)))
        assert_one_option_is_right(run_of(path, result), path)
        assert_can_be_read_by_those_who_do_not_see(result.folder, path.stem)


@every_notebook
def test_every_claim_can_fall(path: Path, tmp_path: Path, own_pair: Pair) -> None:
    """A notebook that is changed for one of its claims falls at this one and no earlier.

    Every wrong answer to an exercise is refused with a hint that helps. All of them, and all changes, are made in one
    kernel. The first change is also a notebook of its own, whose end makes the run red.
    """
    changes = mutations(path)
    red = tmp_path / f"{changes[0].claim}.ipynb"
    nbformat.write(changes[0].applied_to(for_mutations(path)), red)
    with_red = investigate([*companions(path), red], jobs=1, out=tmp_path / "runs", solved=True)
    assert fallen(run_of(red, with_red)) == [changes[0].claim]
    assert with_red.exit_code == 1

    # A notebook that reads what its run has found gets a run in which nothing has fallen.
    found = investigate(companions(path), jobs=1, out=tmp_path / "runs", solved=True) if companions(path) else with_red
    assert found.folder is not None
    run = Run(found.folder)
    environ = {**os.environ, RUN_VARIABLE: str(run.folder), SHELF_VARIABLE: str(run.shelf.folder)}
    with fork_server.parents(sys.executable, base_environ(sys.executable), usable_cpus()) as lent:
        environ[fork_server.LENT_VARIABLE] = fork_server.lend(lent)
        fell, said = asyncio.run(what_fell(for_mutations(path), changes, path.parent, environ, wrong_answers(path)))
    assert fell == {claim: claim for claim in claims(read(path))}
    assert [one.why for one in wrong_answers(path) if not refused(one, said[one.why])] == [], said


def run_of(path: Path, result: Investigation) -> NotebookRun:
    """What came of one notebook."""
    assert result.notebooks, result.reason
    return next(run for run in result.notebooks if run.name == path.stem)


def refused(answer: WrongAnswer, said: Exercise) -> bool:
    """A wrong answer is not done, and its check says of it what it must."""
    return not said.done and said.state == answer.state and answer.says in said.hint


def assert_green(run: NotebookRun, predicted: list[str]) -> None:
    """Every claim of the notebook's text was made and held, and every solution passed its check."""
    assert run.status is Status.HELD, f"{run.name}: {run.reason}"
    assert [claim.id for claim in run.claims] == predicted
    assert all(exercise.done for exercise in run.exercises), run.exercises


def assert_one_option_is_right(run: NotebookRun, path: Path) -> None:
    """Of the options of each prediction one is what its claim has observed, in the same words."""
    observed = {claim.id: words(claim.observed) for claim in run.claims}
    asked = {id: options for cell in read(path).cells for id, options in predictions(cell).items()}
    right = {id: [one for one in options if is_observed(one, observed[id])] for id, options in asked.items()}
    assert {id: observed[id] for id, options in right.items() if len(options) != 1} == {}


def assert_can_be_read_by_those_who_do_not_see(folder: Path, name: str) -> None:
    """Every picture of a page has a description of its own, and every output a text that is no object's address."""
    page = (folder / f"{name}.html").read_text("utf-8")
    described = re.findall(r'<img\b[^>]*\balt="([^"]{20,})"', page)
    assert len(described) == page.count("<img")
    assert "No description has been provided" not in page
    shown = [output.data for cell in read(folder / f"{name}.ipynb").cells for output in cell.get("outputs", [])
             if "data" in output]
    assert not [data for data in shown if re.search(r" at 0x[0-9a-f]{6,}", data.get("text/plain", " at 0x000000"))]


def fallen(run: NotebookRun) -> list[str]:
    """The claims that fell; the reason, where the run ended otherwise."""
    return [claim.id for claim in run.claims if not claim.held] or [run.reason]
