from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from kit.errors import EvidenceError
from kit.evidence.causes import Role, condition, effects, interaction, main_effect, role, truth_table
from kit.evidence.verdict import Ruling, Verdict

FACTORS = ("engine", "pool", "variable")


def table(fails: Callable[[frozenset[str]], bool]) -> dict[frozenset[str], bool]:
    """The complete truth table of a rule over three mechanisms."""
    rows = [
        frozenset(name for name, is_on in zip(FACTORS, switches, strict=True) if is_on)
        for switches in product((False, True), repeat=3)
    ]
    return {on: fails(on) for on in rows}


BOTH = table(lambda on: {"engine", "variable"} <= on)
EITHER = table(lambda on: bool({"engine", "variable"} & on))
ONE = table(lambda on: "variable" in on)
UNLESS = table(lambda on: "variable" in on and "pool" not in on)


@pytest.mark.parametrize(("rows", "roles"), [
    (BOTH, {"engine": Role.NECESSARY, "variable": Role.NECESSARY, "pool": Role.INNOCENT}),
    (EITHER, {"engine": Role.SUFFICIENT, "variable": Role.SUFFICIENT, "pool": Role.INNOCENT}),
    (ONE, {"variable": Role.CAUSE, "engine": Role.INNOCENT}),
    (UNLESS, {"variable": Role.CAUSE, "pool": Role.MODIFIER}),
])
def test_a_role_follows_from_the_table(rows: dict[frozenset[str], bool], roles: dict[str, Role]) -> None:
    """Each mechanism's role is what the table says of switching it."""
    assert {name: role(rows, name) for name in roles} == roles


@pytest.mark.parametrize(("rows", "sentence"), [
    (BOTH, "engine and variable"), (EITHER, "engine or variable"), (ONE, "variable"), (UNLESS, "no pool and variable"),
    (table(lambda on: "variable" in on and bool({"engine", "pool"} & on)), "variable and (engine or pool)"),
    (table(lambda on: False), "never"), (table(lambda on: True), "always"),
])
def test_the_condition_is_the_shortest_that_fits(rows: dict[frozenset[str], bool], sentence: str) -> None:
    """The condition says when the failure is there, fits every row, and names nothing that does not matter."""
    found = condition(rows)
    assert str(found) == sentence
    assert all(found(on) == failed for on, failed in rows.items())


def test_effects_and_interactions_are_differences_of_shares() -> None:
    """Two mechanisms that fail only together have half an effect each, and a whole interaction."""
    assert main_effect(BOTH, "engine") == main_effect(BOTH, "variable") == 0.5
    assert main_effect(BOTH, "pool") == 0
    assert interaction(BOTH, "engine", "variable") == 1
    assert interaction(BOTH, "engine", "pool") == 0
    assert effects(BOTH)["interacts most with"].tolist() == ["variable (+1.00)", "none", "engine (+1.00)"]


def test_an_incomplete_table_is_refused() -> None:
    """Without every combination there is no saying what a mechanism does."""
    rows = dict(BOTH)
    del rows[frozenset({"engine"})]
    with pytest.raises(EvidenceError, match="7 of the 8 combinations"):
        role(rows, "engine")


def test_an_unresolved_verdict_is_refused() -> None:
    """A table is made of answers only."""
    rulings = {frozenset(): Ruling(Verdict.HOLDS, ""), frozenset({"pool"}): Ruling(Verdict.UNRESOLVED, "timed out")}
    with pytest.raises(EvidenceError, match="With pool on the verdict is UNRESOLVED: timed out"):
        truth_table(rulings)
