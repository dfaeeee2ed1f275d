"""A trial: one way to build and run the specimen. Pure: a description without effects."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Literal

from kit.errors import TrialError

Selection = Literal["individual", "suite"]
Way = Literal["by_hand", "ci"]

INDIVIDUAL_TEST = "tests/test_api_sites.py::test_get_sites_empty"
SUITE = "tests"
CI_SCRIPT = "ci/run_tests.sh"


@dataclass(frozen=True, slots=True)
class Trial:
    """A project (mechanisms, attempt), what is run of it (selection), how it is started (way), and the stack.

    The report compared an *individual* test run *by hand* with a *suite* run *the CI way*; here the two factors are
    separate.
    """

    mechanisms: tuple[str, ...] = ("ci_variable", "global_engine")
    attempt: str = "dependency_override"
    selection: Selection = "suite"
    way: Way = "ci"
    stack: str = "current"
    repetition: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "mechanisms", tuple(sorted(set(self.mechanisms))))

    @property
    def target(self) -> str:
        """The argument that selects the tests for pytest."""
        return INDIVIDUAL_TEST if self.selection == "individual" else SUITE

    def command(self, python: str) -> tuple[str, ...]:
        """The command line, for the project's folder; the CI script takes its `python` from the environment."""
        if self.way == "ci":
            return ("bash", CI_SCRIPT, self.target)
        return (python, "-m", "pytest", self.target)

    def __str__(self) -> str:
        built = f"{'+'.join(self.mechanisms) or 'clean'} · {self.attempt}"
        return f"{built} · {self.selection}, {self.way} · {self.stack}"


def plan(
    *,
    mechanisms: Iterable[Iterable[str]] = (("global_engine", "ci_variable"),),
    attempts: Iterable[str] = ("dependency_override",),
    selections: Iterable[Selection] = ("individual", "suite"),
    ways: Iterable[Way] = ("by_hand", "ci"),
    stacks: Iterable[str] = ("current",),
    repetitions: int = 1,
    seed: int | None = None,
) -> tuple[Trial, ...]:
    """List the trials of a full factorial design, with every combination of levels.

    With a `seed` the order is shuffled reproducibly; None keeps the order of the factors. Raises TrialError when
    `repetitions` is less than 1.
    """
    _check(repetitions)
    trials = [
        Trial(tuple(on), attempt, selection, way, stack, repetition)
        for on, attempt, selection, way, stack, repetition in product(
            tuple(tuple(levels) for levels in mechanisms), tuple(attempts), tuple(selections), tuple(ways),
            tuple(stacks), range(repetitions),
        )
    ]
    if seed is not None:
        random.Random(seed).shuffle(trials)
    return tuple(trials)


def _check(repetitions: int) -> None:
    if repetitions < 1:
        raise TrialError(f"A trial is to be run {repetitions} times", wanted="at least 1", remedy="raise `repetitions`")


def subsets(names: Iterable[str], *, largest: int | None = None) -> tuple[tuple[str, ...], ...]:
    """List every subset of names, smaller ones first; none larger than `largest` (None: no limit)."""
    names = tuple(names)
    sizes = range((len(names) if largest is None else largest) + 1)
    return tuple(chosen for size in sizes for chosen in combinations(names, size))


def as_reported(trial: Trial, *, repetitions: int = 1) -> tuple[tuple[Trial, ...], tuple[Trial, ...]]:
    """The two runs that the report compared, repeated: the single test by hand, and the suite the CI way."""
    _check(repetitions)
    alone = tuple(replace(trial, selection="individual", way="by_hand", repetition=n) for n in range(repetitions))
    suite = tuple(replace(trial, selection="suite", way="ci", repetition=n) for n in range(repetitions))
    return alone, suite
