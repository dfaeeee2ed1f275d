"""What the board can be set to: every box, what is refused, what one flipped box makes of a trial, and the code."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from kit.notebooks.board.settings import (
    MECHANISM_BOXES,
    VARIANT_BOXES,
    as_code,
    clean,
    flipped,
    in_words,
    refusal,
)
from kit.specimens.attempts import ATTEMPTS
from kit.specimens.contradictions import CONTRADICTIONS
from kit.specimens.mechanisms import MECHANISMS
from kit.specimens.trial import Trial, plan
from kit.specimens.variants import VARIANTS


class Ran:
    """Stands for a notebook's session, to see which trials the code runs."""

    def __init__(self) -> None:
        self.trials: list[Trial] = []

    def run(self, trials: list[Trial]) -> list[str]:
        self.trials += trials
        return ["evidence"]


def test_there_is_a_box_for_every_mechanism_and_every_variant() -> None:
    """Each has its title, and a sentence that says what it does."""
    assert [box.name for box in MECHANISM_BOXES] == list(MECHANISMS)
    assert [box.name for box in VARIANT_BOXES] == list(VARIANTS)
    assert all(box.title and box.says.endswith(".") for box in (*MECHANISM_BOXES, *VARIANT_BOXES))


def test_every_set_of_two_mechanisms_can_be_run_with_every_attempt() -> None:
    """No two boxes that are always shown contradict each other, nor any attempt."""
    pairs = [*combinations(MECHANISMS, 2), tuple(MECHANISMS)]
    assert [pair for pair in pairs for attempt in ATTEMPTS if refusal(Trial(pair, attempt))] == []


@pytest.mark.parametrize("pair", CONTRADICTIONS, ids=lambda pair: "+".join(sorted(pair)))
def test_what_contradicts_itself_is_refused_with_the_reason(pair: frozenset[str]) -> None:
    """Each pair that cannot go together is refused by both names and why, and neither of the two alone is."""
    attempt = next((name for name in pair if name in ATTEMPTS), Trial().attempt)
    boxes = [name for name in pair if name not in ATTEMPTS]
    said = refusal(Trial(tuple(boxes), attempt))
    assert CONTRADICTIONS[pair] in said
    assert [name for name in pair if name not in said] == []
    if len(boxes) == 2:
        assert [box for box in boxes if refusal(Trial((box,), "none"))] == []


def test_the_clean_project_is_run_in_the_same_way() -> None:
    """Only the boxes are taken out; the attempt, what is run and who starts it stay."""
    assert clean(Trial(way="by_hand", attempt="fresh_app", selection="individual")) == Trial(
        (), way="by_hand", attempt="fresh_app", selection="individual"
    )


def test_each_box_is_flipped_once() -> None:
    """A box that is ticked is taken out, one that is not is ticked; of the variants only those that are ticked."""
    found = flipped(Trial(("global_engine", "null_pool")))
    assert set(found) == {*MECHANISMS, "null_pool"}
    assert found["global_engine"].mechanisms == ("null_pool",)
    assert found["null_pool"].mechanisms == ("global_engine",)
    assert found["ci_variable"].mechanisms == ("ci_variable", "global_engine", "null_pool")


@pytest.mark.parametrize(
    "trial", plan(mechanisms=[(), ("ci_variable",), tuple(MECHANISMS)], attempts=["none", "real_fix"]), ids=str
)
def test_the_code_runs_the_very_trial(trial: Trial) -> None:
    """The lines that are shown, run as they are, run the trial that the board is set to, and name its evidence."""
    session = Ran()
    cell: dict[str, Any] = {"session": session}
    exec(as_code(trial).rpartition("isolation(evidence)")[0], cell)
    assert session.trials == [trial]
    assert cell["evidence"] == "evidence"


def test_a_trial_is_said_in_words() -> None:
    """By the titles of its boxes and of its attempt, what is run, and who starts it."""
    assert in_words(Trial(("global_engine",), way="by_hand")) == (
        "Global engine · Dependency override · the suite, by hand"
    )
    assert in_words(Trial(())) == "no box ticked · Dependency override · the suite, the CI way"
