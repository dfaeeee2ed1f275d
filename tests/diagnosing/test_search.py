"""Causes are told from bystanders with few runs, and nothing is called proved that was not put back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.analysis.model import Finding, Nothing
from kit.answer.diagnosis import Effect
from kit.detectors.planning.candidate import Candidate
from kit.diagnosing.search import OutOfRuns, repeats_needed, search
from kit.probes.interventions.variables import SetVariable, UnsetVariable


def candidate(name: str, line: int = 1) -> Candidate:
    finding = Finding("kind", name, f"{name}.py", line, Nothing())
    return Candidate(finding, f"without {name}", (UnsetVariable(name),), "fix")


A, B, C, D = map(candidate, "ABCD")


def runs(*working: set[str], flaky: bool = False) -> tuple[list[tuple[str, ...]], object]:
    """What was run, and a stand-in for running: the symptom is gone when one of the sets is changed as a whole."""
    made: list[tuple[str, ...]] = []

    def run(chosen: tuple[Candidate, ...]) -> Effect:
        names = {one.what for one in chosen}
        made.append(tuple(sorted(names)))
        return Effect.GONE if flaky or any(one <= names for one in working) else Effect.STAYS

    return made, run


def test_one_cause_takes_two_runs() -> None:
    """A single candidate that is the cause is proved by a run with it and a run without."""
    made, run = runs({"A"})
    found = search([(A,), (B, C)], run)  # type: ignore[arg-type]
    assert (found.needed, found.confirmed) == ((A,), True)
    assert made[:2] == [(), ("A",)]
    assert search([(A,)], run).also == ()  # type: ignore[arg-type]


def test_two_causes_side_by_side_are_both_needed() -> None:
    """Where two leaks are there at once, both changes are returned, and neither alone was enough."""
    _, run = runs({"A", "C"})
    found = search([(A, B, C)], run)  # type: ignore[arg-type]
    assert found.needed == (A, C)
    assert found.also == ()


def test_two_conditions_of_one_failure_are_both_told() -> None:
    """Where either change is enough, one is needed and the other is said to do as well."""
    _, run = runs({"A"}, {"B"})
    found = search([(A,), (B,)], run)  # type: ignore[arg-type]
    assert found.needed == (A,)
    assert found.also == (B,)


def test_a_second_group_is_tried_where_the_first_is_not_enough() -> None:
    """General candidates are tried after the findings' own."""
    _, run = runs({"D"})
    found = search([(A, B), (C, D)], run)  # type: ignore[arg-type]
    assert found.needed == (D,)
    assert found.confirmed


def test_nothing_is_proved_by_what_does_not_happen_again() -> None:
    """Where the symptom is gone without any change, no cause is named."""
    made, run = runs(flaky=True)
    found = search([(A,)], run)  # type: ignore[arg-type]
    assert (found.needed, found.confirmed, found.unchanged) == ((), False, Effect.GONE)
    assert made == [()] * 4
    assert found.often == (1, 5)


def test_nothing_is_proved_when_no_change_helps() -> None:
    """Where everything was changed and the symptom stays, no cause is named."""
    _, run = runs()
    found = search([(A, B)], run)  # type: ignore[arg-type]
    assert (found.needed, found.confirmed, found.unchanged) == ((), False, Effect.STAYS)


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_runs_that_are_used_up_prove_nothing(allowed: int) -> None:
    """Where the runs are at an end before the answer, none is given."""
    left = iter(range(allowed))

    def run(chosen: tuple[Candidate, ...]) -> Effect:
        if next(left, None) is None:
            raise OutOfRuns
        return Effect.STAYS

    assert not search([(A, B), (C, D)], run).confirmed


def test_a_place_that_leads_nowhere_is_no_cause_of_its_own() -> None:
    """What only worked by another place is not tried as one more cause: whatever came from there is gone with it."""
    other = replace(B, otherwise=(SetVariable("B", "nowhere"),))
    asked: list[Candidate] = []

    def run(chosen: tuple[Candidate, ...]) -> Effect:
        asked.extend(chosen)
        if any(one.what == "A" or one.otherwise for one in chosen):
            return Effect.GONE
        return Effect.VOID if chosen else Effect.STAYS

    found = search([(A,), (other,)], run)
    assert (found.needed, found.also) == ((A,), ())
    assert [one.otherwise for one in asked if one.what == "B"] == [()]


def test_a_candidate_without_effect_leaves_the_first_joint_run() -> None:
    """What has no effect on a run neither spoils it nor is among its causes."""
    made, run = runs({"A"})
    found = search([(A, B)], run, held=lambda one: one is not B)  # type: ignore[arg-type]
    assert (found.needed, found.confirmed) == ((A,), True)
    assert made == [(), ("A", "B")]


def test_what_only_voids_a_run_when_it_is_put_back_is_not_proved() -> None:
    """Put back alone, each cause of the smallest set brings the symptom back; an inconclusive run does not."""
    answers = {frozenset(): Effect.STAYS, frozenset("AB"): Effect.GONE, frozenset("A"): Effect.VOID}

    def run(chosen: tuple[Candidate, ...]) -> Effect:
        return answers.get(frozenset(one.what for one in chosen), Effect.STAYS)

    found = search([(A, B)], run)
    assert (found.needed, found.confirmed) == ((A, B), False)


def test_an_unchanged_run_that_says_nothing_is_told_as_such() -> None:
    """It was ended or had no probe in: that is not the same as that the symptom did not come back."""
    found = search([(A,)], lambda chosen: Effect.VOID)
    assert (found.needed, found.unchanged) == ((), Effect.VOID)


@pytest.mark.parametrize(("seen", "of", "times"), [(1, 5, 6), (2, 5, 6), (3, 5, 4), (4, 5, 2), (5, 5, 1)])
def test_the_rarer_it_is_the_more_runs_show_that_it_is_gone(seen: int, of: int, times: int) -> None:
    """What happens in three of five runs is missed in four by chance once in forty times."""
    assert repeats_needed(seen, of) == times


def test_what_happens_sometimes_is_proved_by_several_runs() -> None:
    """With the cause changed it is gone in each of them, and with another change it comes back in one."""
    unchanged = iter([Effect.GONE, Effect.STAYS, Effect.GONE, Effect.STAYS])
    other = iter([Effect.GONE, Effect.STAYS])

    def run(chosen: tuple[Candidate, ...]) -> Effect:
        names = {one.what for one in chosen}
        return Effect.GONE if "A" in names else next(other, Effect.STAYS) if "B" in names else next(unchanged)

    found = search([(B,), (A,)], run)
    assert ([one.what for one in found.needed], found.confirmed) == (["A"], True)
    assert (found.often, found.repeated) == ((3, 5), 4)
