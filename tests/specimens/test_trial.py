from __future__ import annotations

from kit.specimens.trial import CI_SCRIPT, INDIVIDUAL_TEST, SUITE, Trial, as_reported, plan, subsets


def test_the_order_of_mechanisms_does_not_matter() -> None:
    """Two trials with the same mechanisms are the same trial."""
    assert Trial(("global_engine", "ci_variable")) == Trial(("ci_variable", "global_engine", "ci_variable"))


def test_a_trial_runs_what_its_selection_and_way_say() -> None:
    """Selection decides what pytest is told to run, the way decides who tells it."""
    assert Trial(selection="individual", way="by_hand").command("py") == ("py", "-m", "pytest", INDIVIDUAL_TEST)
    assert Trial(selection="suite", way="ci").command("py") == ("bash", CI_SCRIPT, SUITE)


def test_a_plan_crosses_every_level_with_every_other() -> None:
    """A full design has each combination once per repetition."""
    trials = plan(mechanisms=[(), ("global_engine",)], attempts=("none", "dependency_override"), repetitions=3)
    assert len(trials) == len(set(trials)) == 2 * 2 * 2 * 2 * 3


def test_a_seed_fixes_the_order() -> None:
    """The same seed shuffles a plan the same way, and keeps its trials."""
    ordered = plan(repetitions=5)
    assert plan(repetitions=5, seed=4) == plan(repetitions=5, seed=4) != ordered
    assert set(plan(repetitions=5, seed=4)) == set(ordered)


def test_the_report_compared_two_things_at_once() -> None:
    """The report's two runs differ in selection and in way."""
    (alone, _), (suite, _) = as_reported(Trial(), repetitions=2)
    assert (alone.selection, alone.way, suite.selection, suite.way) == ("individual", "by_hand", "suite", "ci")


def test_subsets_are_every_choice_the_small_ones_first() -> None:
    """A full design takes every set of its mechanisms; a small one those up to a size."""
    assert subsets("ab") == ((), ("a",), ("b",), ("a", "b"))
    assert len(subsets("abcdef")) == 64
    assert len(subsets("abcdef", largest=2)) == 1 + 6 + 15
