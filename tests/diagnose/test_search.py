"""Causes are told from bystanders with few runs, and nothing is called proved that was not put back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.diagnose.candidate import Candidate
from kit.diagnose.search import OutOfRuns, search
from kit.findings.diagnosis import Effect


def candidate(name: str, line: int = 1) -> Candidate:
    return Candidate("kind", f"without {name}", name, f"{name}.py", line, ({"op": "unset", "name": name},), "fix")


A, B, C, D = map(candidate, "ABCD")


def runs(*working: set[str], flaky: bool = False) -> tuple[list[tuple[str, ...]], object]:
    """What was run, and a stand-in for running: the wrong thing is gone when one of the sets is changed as a whole."""
    made: list[tuple[str, ...]] = []

    def run(chosen: tuple[Candidate, ...]) -> Effect:
        names = {one.what for one in chosen}
        made.append(tuple(sorted(names)))
        return Effect.GONE if flaky or any(one <= names for one in working) else Effect.STAYS

    return made, run


def test_one_cause_takes_two_runs() -> None:
    """A single suspect that is the cause is proved by a run with it and a run without."""
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
    """General suspects are tried after the findings' own."""
    _, run = runs({"D"})
    found = search([(A, B), (C, D)], run)  # type: ignore[arg-type]
    assert found.needed == (D,)
    assert found.confirmed


def test_nothing_is_proved_by_what_does_not_happen_again() -> None:
    """Where the wrong thing is gone without any change, no cause is named."""
    made, run = runs(flaky=True)
    found = search([(A,)], run)  # type: ignore[arg-type]
    assert (found.needed, found.confirmed, found.returns) == ((), False, False)
    assert made == [()]


def test_nothing_is_proved_when_no_change_helps() -> None:
    """Where everything was changed and the wrong thing stays, no cause is named."""
    _, run = runs()
    found = search([(A, B)], run)  # type: ignore[arg-type]
    assert (found.needed, found.confirmed, found.returns) == ((), False, True)


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
    other = replace(B, otherwise=({"op": "set", "name": "B", "value": "nowhere"},))
    asked: list[Candidate] = []

    def run(chosen: tuple[Candidate, ...]) -> Effect:
        asked.extend(chosen)
        if any(one.what == "A" or one.otherwise for one in chosen):
            return Effect.GONE
        return Effect.VOID if chosen else Effect.STAYS

    found = search([(A,), (other,)], run)
    assert (found.needed, found.also) == ((A,), ())
    assert [one.otherwise for one in asked if one.what == "B"] == [()]
