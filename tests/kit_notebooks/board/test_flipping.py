"""What flips a verdict: every box once, what is refused, what was not tried, and the sentence about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from kit.evidence.model import Evidence
from kit.evidence.verdict import Verdict
from kit.notebooks.board.flipping import Flips, describe_flips, flips
from kit.specimens.mechanisms import MECHANISMS
from kit.specimens.trial import Trial
from tests.evidences import answered_by, without_probe

REPORTED = {"ci_variable", "global_engine"}


def of(trial: Trial) -> Evidence:
    """What a trial would come to, if nothing but the reported pair led to production."""
    side = "production" if set(trial.mechanisms) >= REPORTED else "test"
    return replace(answered_by(side), trial=replace(trial, stack="2023-11"))


def last_first(trials: Iterable[Trial]) -> Iterator[Evidence]:
    yield from map(of, reversed(list(trials)))


def all_flipped(*boxes: str, at_most: int | None = None) -> Flips:
    def run(trials: Iterable[Trial]) -> Iterator[Evidence]:
        yield from list(last_first(trials))[:at_most]

    *_, found = flips(of(Trial(boxes)), run)
    return found


def test_the_boxes_that_change_the_verdict_are_named() -> None:
    """Of the reported pair each one alone changes BROKEN, and no other box does."""
    found = all_flipped(*REPORTED)
    assert set(found.changing) == REPORTED
    assert [flip.name for flip in found.tried] == list(MECHANISMS)
    assert [flip.name for flip in found.tried if not flip.ticked] == ["global_engine", "ci_variable"]
    assert found.left == ()


def test_ticking_a_box_can_change_it() -> None:
    """With one of the pair ticked, the other one changes HOLDS."""
    assert all_flipped("global_engine").changing == ("ci_variable",)
    assert all_flipped().changing == ()


def test_what_is_known_comes_after_each_trial() -> None:
    """Each step has one box more, in the order of the board, whatever the order in which the trials come."""
    found = list(flips(of(Trial(())), last_first))
    assert [len(one.tried) for one in found] == list(range(len(MECHANISMS) + 1))
    assert [len(one.tried) + len(one.left) for one in found] == [len(MECHANISMS)] * len(found)


def test_what_was_not_tried_is_said() -> None:
    """After a stop, the boxes that were not tried are named, and none of them counts as one that changes nothing."""
    found = all_flipped(*REPORTED, at_most=2)
    assert len(found.left) == len(MECHANISMS) - 2
    assert "Not tried: Global engine, CI variable" in describe_flips(found)


def test_a_box_that_contradicts_another_is_refused_and_not_run() -> None:
    """It stands in the table with the reason, has no verdict, and changes none."""
    asked: list[Trial] = []

    def run(trials: Iterable[Trial]) -> Iterator[Evidence]:
        asked.extend(trials)
        return last_first(asked)

    *_, found = flips(of(Trial(("configured_in_fixture",))), run)
    [refused] = [flip for flip in found.tried if flip.ruling is None]
    assert refused.name == "early_import"
    assert "contradict each other" in refused.refused
    assert "early_import" not in found.changing
    assert [trial for trial in asked if "early_import" in trial.mechanisms] == []


def test_unresolved_is_no_verdict_that_a_box_could_change() -> None:
    """Neither a flip that comes out UNRESOLVED nor one of what is UNRESOLVED itself counts."""
    def blind(trials: Iterable[Trial]) -> Iterator[Evidence]:
        yield from (without_probe(one, "engine") for one in last_first(trials))

    *_, found = flips(of(Trial(tuple(REPORTED))), blind)
    assert {flip.ruling.verdict for flip in found.tried if flip.ruling} == {Verdict.UNRESOLVED}
    assert found.changing == ()
    *_, found = flips(without_probe(of(Trial(())), "engine"), last_first)
    assert found.changing == ()
    assert describe_flips(found) == "Nothing can change a verdict that is none."


@pytest.mark.parametrize(("boxes", "said"), [
    (tuple(REPORTED), "Each of these boxes alone changes BROKEN: Global engine taken out, CI variable taken out. "
                      "The other 8 that were tried do not."),
    (("ci_variable",), "One box changes HOLDS: Global engine ticked. The other 9 that were tried do not."),
    ((), "No box changes HOLDS, of 10 tried one at a time."),
])
def test_it_is_said_in_a_sentence(boxes: tuple[str, ...], said: str) -> None:
    """Which boxes change the verdict, and how many others were tried."""
    assert describe_flips(all_flipped(*boxes)) == said


def test_the_table_says_the_same_without_its_colours() -> None:
    """In HTML and in plain text each box has its verdict in letters, and those that change it are called so."""
    found = all_flipped(*REPORTED)
    bundle = found._repr_mimebundle_()
    assert bundle["text/html"].count("yes, this changes it") == 2
    assert bundle["text/plain"].count("changes it: HOLDS") == 2
    assert "Warm connection pool ticked: BROKEN" in bundle["text/plain"]


def test_evidence_of_no_trial_is_refused() -> None:
    """A traced command has no boxes that could be flipped."""
    with pytest.raises(ValueError, match="no trial"):
        next(flips(answered_by("test"), last_first))
