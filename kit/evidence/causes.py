"""From verdicts to causes: which mechanisms are sufficient, necessary, modifiers or innocent. Pure.

A *truth table* maps each set of mechanisms that were on together to whether the failure occurred. It is complete: every
combination of its factors was run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import TYPE_CHECKING, Any

from kit.errors import EvidenceError
from kit.evidence.verdict import Ruling, Verdict

if TYPE_CHECKING:
    import pandas

TruthTable = Mapping[frozenset[str], bool]


class Role(StrEnum):
    """The effect of one mechanism on the failure, from runs that differ in it alone.

    SUFFICIENT: it causes the failure without any other. NECESSARY: without it the failure never occurs. CAUSE: both.
    MODIFIER: neither, but it changes the effect of others, for or against the failure. INNOCENT: it never makes a
    difference.
    """

    CAUSE = "cause"
    SUFFICIENT = "sufficient"
    NECESSARY = "necessary"
    MODIFIER = "modifier"
    INNOCENT = "innocent"


Groups = tuple[frozenset[tuple[str, bool]], ...]
"""Sets of (mechanism, on)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The shortest condition of the failure, in two equivalent forms.

    The failure occurs when every mechanism of one alternative is in its given state (on or off); equivalently, when at
    least one mechanism of each requirement is. No alternative means never; an empty alternative means always.
    """

    alternatives: Groups
    requirements: Groups

    def __call__(self, on: Iterable[str]) -> bool:
        """Whether the failure occurs with exactly these mechanisms on."""
        present = frozenset(on)
        return any(all((name in present) is wanted for name, wanted in one) for one in self.alternatives)

    def __str__(self) -> str:
        if not self.alternatives:
            return "never"
        forms = _sentence(self.alternatives, " or ", " and "), _sentence(self.requirements, " and ", " or ")
        return min(forms, key=len) or "always"


def truth_table(rulings: Mapping[frozenset[str], Ruling]) -> dict[frozenset[str], bool]:
    """Convert rulings to a truth table. Raises EvidenceError when one is UNRESOLVED, because then nothing follows."""
    for on, ruling in rulings.items():
        if ruling.verdict is Verdict.UNRESOLVED:
            raise EvidenceError(
                f"With {', '.join(sorted(on)) or 'nothing'} on the verdict is UNRESOLVED: {ruling.reason}",
                wanted="HOLDS or BROKEN for every combination", remedy="look at the trial's evidence, and run it again",
            )
    return {on: ruling.verdict is Verdict.BROKEN for on, ruling in rulings.items()}


def role(table: TruthTable, mechanism: str) -> Role:
    """The role of one mechanism in a complete truth table."""
    factors = _factors(table)
    if all(table[on | {mechanism}] == table[on - {mechanism}] for on in table):
        return Role.INNOCENT
    sufficient = table.get(frozenset({mechanism}), False) and not table[frozenset()]
    necessary = all(mechanism in on for on in table if table[on]) and bool(factors)
    if sufficient and necessary:
        return Role.CAUSE
    return Role.SUFFICIENT if sufficient else Role.NECESSARY if necessary else Role.MODIFIER


def main_effect(table: TruthTable, mechanism: str) -> float:
    """The share of failures with the mechanism on minus the share with it off, from -1 to 1."""
    return _share(table, {mechanism}, set()) - _share(table, set(), {mechanism})


def interaction(table: TruthTable, one: str, other: str) -> float:
    """How much switching on the other mechanism changes the effect of this one: from -2 to 2, 0 for no interaction."""
    with_other = _share(table, {one, other}, set()) - _share(table, {other}, {one})
    without = _share(table, {one}, {other}) - _share(table, set(), {one, other})
    return with_other - without


def condition(table: TruthTable) -> Condition:
    """The shortest condition of the failure, by logic minimisation; it fits every row of the table.

    Raises EvidenceError when the result does not fit, or the table is not complete.
    """
    from sympy import And, Or, Symbol
    from sympy.logic import POSform, SOPform

    factors = _factors(table)
    symbols = [Symbol(name) for name in factors]
    failing = [[int(name in on) for name in factors] for on in table if table[on]]
    minimal = Condition(_groups(SOPform(symbols, failing), Or, And), _groups(POSform(symbols, failing), And, Or))
    unlike = [on for on in table if minimal(on) != table[on]]
    if unlike:
        raise EvidenceError(f"The condition '{minimal}' does not fit {len(unlike)} of {len(table)} trials")
    return minimal


def effects(table: TruthTable) -> pandas.DataFrame:
    """One row per mechanism: its role, its main effect, and the mechanism with which it interacts most."""
    import pandas

    factors = _factors(table)
    rows = []
    for name in factors:
        partners = {other: interaction(table, name, other) for other in factors if other != name}
        most = max(partners, key=lambda other: abs(partners[other]), default=None)
        strongest = f"{most} ({partners[most]:+.2f})" if most and partners[most] else "none"
        rows.append([name, str(role(table, name)), main_effect(table, name), strongest])
    columns = ["mechanism", "role", "main effect", "interacts most with"]
    return pandas.DataFrame(rows, columns=columns).set_index("mechanism").rename_axis(index=None, columns="mechanism")


def _factors(table: TruthTable) -> tuple[str, ...]:
    """The mechanisms of a table. Raises EvidenceError unless every combination of them was run."""
    factors = tuple(sorted(frozenset().union(*table)))
    wanted = {
        frozenset(name for name, is_on in zip(factors, switches, strict=True) if is_on)
        for switches in product((False, True), repeat=len(factors))
    }
    if set(table) != wanted:
        raise EvidenceError(
            f"The table has {len(table)} of the {len(wanted)} combinations of {', '.join(factors)}",
            wanted="every combination, once", remedy="plan a full design",
        )
    return factors


def _share(table: TruthTable, on: set[str], off: set[str]) -> float:
    rows = [failed for present, failed in table.items() if on <= present and not off & present]
    return sum(rows) / len(rows)


def _groups(formula: Any, outer: Any, inner: Any) -> Groups:
    """Convert a sympy formula, a sum of products or product of sums, to groups; a constant to none or an empty one."""
    from sympy import Not, false, true

    if formula in (false, true):
        return () if formula is outer.identity else (frozenset(),)
    groups = formula.args if isinstance(formula, outer) else (formula,)
    found = [
        frozenset(
            (literal.args[0].name, False) if isinstance(literal, Not) else (literal.name, True)
            for literal in (group.args if isinstance(group, inner) else (group,))
        )
        for group in groups
    ]
    return tuple(sorted(found, key=lambda group: (len(group), sorted(group))))


def _sentence(groups: Groups, between: str, within: str) -> str:
    said = [[name if wanted else f"no {name}" for name, wanted in sorted(group)] for group in groups]
    clauses = [within.join(words) for words in said]
    if len(groups) > 1:
        clauses = [f"({clause})" if len(words) > 1 else clause for clause, words in zip(clauses, said, strict=True)]
    return between.join(clauses)
