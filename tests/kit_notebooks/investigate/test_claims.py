"""Claims: what the text of a notebook makes, and what its run decided."""

from __future__ import annotations

from typing import Any

from nbformat.v4 import new_output

from kit.notebooks.cells import CLAIM_MIME, EXERCISE_MIME
from kit.notebooks.investigate.claims import cells, decided, exercises, made_twice, never_reached, not_asked, stated
from kit.notebooks.investigate.saved import Outcome
from tests.kit_notebooks.investigate.samples import notebook

STATES = [
    "%time import kit\nfrom kit.notebooks import cells as kn\n"
    "kn.claim('first', 'The first.', expected=1 + 1, observed=2)",
    "if deep:\n    claim(id='deep', sentence='A deep one.', expected='x', observed=seen)\n"
    "else:\n    claim('flat', 'A flat one.', expected='y', observed=seen)",
    "for name in names:\n    claim(f'{name}-innocent', f'{name} is innocent.', expected=True, observed=seen[name])",
]


def decide(nb: Any, cell: int, id: str, *, held: bool = True) -> None:
    """Put the output of a decided claim into a cell."""
    seen = {"expected": 1, "observed": 1, "held": held, "trials": 1, "seconds": 0.5}
    data = {"id": id, "claim": "It is so.", **seen}
    nb.cells[cell].outputs.append(new_output("display_data", data={CLAIM_MIME: data, "text/plain": "x"}))


def test_the_text_says_which_claims_it_makes() -> None:
    """Calls of `claim` are found however it is imported and spelled, beside magics, in branches and in loops."""
    found = stated(notebook(STATES))
    assert [(claim.index, claim.id, claim.expected) for claim in found] == [
        (0, "first", "1 + 1"),
        (1, "deep", "'x'"),
        (1, "flat", "'y'"),
        (2, None, "True"),
    ]
    assert found[1].sentence == "A deep one."


def test_a_sentence_with_values_in_it_is_told_by_what_stands_around_them() -> None:
    """Before it ran nobody knows the values; an id with values in it is none."""
    [claim] = stated(notebook(['claim(f"a-{x}", f"{x + 1} requests reach {server}.", expected=1, observed=1)']))
    assert (claim.id, claim.sentence) == (None, "… requests reach ….")


def test_text_that_is_no_python_makes_no_claim() -> None:
    """A cell of another language is passed over."""
    assert stated(notebook(["%%bash\nfor x in 1 2; do claim $x; done", "claim("])) == []


def test_decided_claims_are_read_by_their_type() -> None:
    """A decided claim is found by the MIME type of its output, with the cell that decided it."""
    nb = notebook(STATES)
    decide(nb, 0, "first")
    decide(nb, 1, "flat", held=False)
    assert [(claim.id, claim.held) for claim in decided(nb)] == [("first", True), ("flat", False)]
    assert cells(nb) == {"first": "cell-1", "flat": "cell-2"}


def test_a_claim_that_was_never_reached_is_not_silently_absent() -> None:
    """Claims in cells that did not come to their end are listed as not held, those without a literal id too."""
    nb = notebook(STATES)
    decide(nb, 0, "first")
    outcome = Outcome(3, 1, 1.0, "In [2] cell-2", "KernelDied", "the kernel died", never_ran=("In [3] cell-3",))
    missed = never_reached(nb, outcome)
    assert [claim.id for claim in missed] == ["deep", "flat", "unnamed-4"]
    assert not any(claim.held for claim in missed)
    assert "In [2] cell-2: the kernel died" in missed[0].observed


def test_when_no_cell_ran_no_claim_was_reached() -> None:
    """Where the kernel never started, every claim of the text is listed."""
    outcome = Outcome(3, 0, 1.0, None, "KernelNotStarted", "no kernel")
    assert len(never_reached(notebook(STATES), outcome)) == 4


def test_a_way_not_taken_is_told_apart() -> None:
    """A claim in a branch that these parameters do not take is no failure, and is named."""
    nb = notebook(STATES)
    decide(nb, 0, "first")
    decide(nb, 1, "flat")
    outcome = Outcome(3, 3, 1.0)
    assert never_reached(nb, outcome) == []
    assert not_asked(nb, outcome) == ["deep"]


def test_an_id_that_is_used_twice_is_found() -> None:
    """Two decided claims under one id are found, because findings could not tell them apart."""
    nb = notebook(STATES)
    decide(nb, 0, "first")
    assert made_twice(nb) == []
    decide(nb, 2, "first")
    assert made_twice(nb) == ["first"]


def test_checks_of_exercises_are_read_by_their_type() -> None:
    """What the check of an exercise said is found in the outputs."""
    nb = notebook(["1"])
    data = {"id": "1", "done": False, "hint": "not yet"}
    nb.cells[0].outputs.append(new_output("display_data", data={EXERCISE_MIME: data}))
    assert [(check.id, check.done, check.hint) for check in exercises(nb)] == [("1", False, "not yet")]
