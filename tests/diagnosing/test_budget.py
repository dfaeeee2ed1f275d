"""A budget runs down by its clock, and limits what a run may take."""

from __future__ import annotations

from kit.diagnosing.budget import Budget


def test_a_run_may_take_what_is_left() -> None:
    """A time limit is at most what is left of the minutes, which begin when the budget is made."""
    now = 100.0
    budget = Budget(2, lambda: now)
    assert (budget.limit(500), budget.limit(30), budget.is_spent) == (120, 30, False)
    now = 190.0
    assert (budget.left_s, budget.limit(500)) == (30, 30)
    now = 221.0
    assert (budget.left_s, budget.limit(500), budget.is_spent) == (0, 0, True)


def test_without_minutes_there_is_no_limit() -> None:
    """Nothing is ever spent."""
    budget = Budget()
    assert (budget.limit(500), budget.is_spent) == (500, False)
