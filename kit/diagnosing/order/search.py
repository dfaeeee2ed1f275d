"""Finds what a test depends on, by few short runs. Pure but for `Runs`, which makes them.

1. The test alone: with every module collected, and with its own module only.
2. The units that make the difference, by delta debugging.
3. The state that these leave behind, and which piece of it decides, by restoring pieces of it.
4. The lines that wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Protocol

from kit.diagnosing.minimal import minimal
from kit.diagnosing.order.model import FILES, FRESH, ROWS, Dependence, Piece, Role, Unit

# Which places are tried together, the likeliest first: each group with those before it. What a test leaves in a
# database that it has made itself is seldom what the next one meets: how that got there is asked first.
GROUPS = ((ROWS, FILES), ("project", "fixtures", "process"), ("libraries",), ("modules",), (FRESH,))
_NAMES_OF_OTHERS = ("sys.modules", "logging.root.manager.loggerDict")
_PASSED, _FAILED = "passed", "failed"
_NAMED_AT_MOST = 6  # places that only act together
_TRIED_AT_MOST = 4  # tests right after which it ended otherwise


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run runs: the test after these units. Tests: every module is collected. Modules: no other is."""

    test: str
    units: tuple[str, ...]
    unit: Unit


@dataclass(frozen=True, slots=True)
class Ended:
    """How the test ended in a run: "passed", "failed", or "" where it did not run; `others` are the units' outcomes.

    `failure` tells one failure from another: the kind of the error, and the line that raised it.
    """

    outcome: str
    failure: str = ""
    others: tuple[tuple[str, str], ...] = ()


class Runs(Protocol):
    """Makes runs of the command. Each method raises OutOfRuns where the limit of re-runs is reached."""

    def run(self, what: Selection) -> Ended:
        """Run the test after the units."""

    def ended_right_after(self, test: str) -> tuple[tuple[str, str], ...]:
        """Run the test once more after each other test, in one run; return each and how it ended right after it."""

    def left_behind(self, what: Selection, watch: Sequence[Piece] = ()) -> tuple[Piece, ...] | None:
        """Run it, and return what differs after the units; of `watch`, with the lines that wrote each.

        None where nothing was looked at.
        """

    def scope(self) -> tuple[str, str]:
        """Say what was looked at outside of the process, and what was not."""

    def why_not(self) -> str:
        """Say why nothing was looked at in the latest run."""

    def put_back(self, what: Selection, places: Sequence[str]) -> Ended:
        """Run it with these places restored after the units."""

    def keep(self, what: Selection, places: Sequence[str]) -> Ended:
        """Run it with all other places restored after the units."""


def search(
    test: str, first: str, before: Sequence[str], after: Sequence[str], modules: Sequence[str], runs: Runs
) -> Dependence:
    """Find what a test depends on.

    `first` is how it ended in the first run, "passed" or "failed"; `before` and `after` are the tests around it there,
    `modules` the modules of tests other than its own.
    """
    found = _which_units(_Question(test, tuple(before), tuple(after), tuple(modules), runs), first)
    return found if found.role is Role.INDEPENDENT else _which_state(found, runs)


@dataclass(frozen=True, slots=True)
class _Question:
    test: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    modules: tuple[str, ...]
    runs: Runs

    def ended(self, units: Sequence[str], unit: Unit = Unit.TEST) -> str:
        return self.runs.run(Selection(self.test, tuple(units), unit)).outcome

    def smallest(self, units: Sequence[str], outcome: str, unit: Unit = Unit.TEST) -> tuple[str, ...]:
        """Return the fewest units found after which the test ends so, as it does after all of them."""
        return minimal(units, lambda chosen: self.ended(chosen, unit) == outcome)

    def depends(self, role: Role, units: Sequence[str], unit: Unit = Unit.TEST) -> Dependence:
        outcome = _FAILED if role is Role.VICTIM else _PASSED
        return Dependence(self.test, role, self.smallest(units, outcome, unit), unit)

    def right_after(self, outcome: str) -> tuple[str, ...]:
        """Return tests right after which it ended so, first those right after which it began to."""
        ended = self.runs.ended_right_after(self.test)
        so = [test for test, how in ended if how == outcome]
        began = [test for (_, before), (test, how) in pairwise((("", ""), *ended)) if before != how == outcome]
        return tuple(dict.fromkeys((*began, *so)))[:_TRIED_AT_MOST]

    def independent(self, reason: str) -> Dependence:
        return Dependence(self.test, Role.INDEPENDENT, reason=reason)


def _which_units(ask: _Question, first: str) -> Dependence:
    alone = ask.ended(())
    if alone not in (_PASSED, _FAILED):
        return ask.independent("it did not run when it was selected alone")
    return _that_failed(ask, alone) if first == _FAILED else _that_passed(ask, alone)


def _that_failed(ask: _Question, alone: str) -> Dependence:
    if alone == _PASSED:
        if not ask.before or ask.ended(ask.before) != _FAILED:
            return ask.independent(_INTERMITTENT.format("passed"))
        return ask.depends(Role.VICTIM, ask.before)
    if ask.modules and ask.ended((), Unit.MODULE) == _PASSED:
        return ask.depends(Role.VICTIM, ask.modules, Unit.MODULE)
    others = (*ask.before, *ask.after)
    if ask.after and ask.ended(others) == _PASSED:
        return ask.depends(Role.NEEDY, others)
    for other in ask.right_after(_PASSED) if others else ():
        if ask.ended((other,)) == _PASSED:
            return ask.depends(Role.NEEDY, (other,))
    if len(others) > 1 and ask.ended(others[::-1]) == _PASSED:
        return ask.depends(Role.NEEDY, others[::-1])
    return ask.independent(f"it fails alone, too{_among(others)}")


def _that_passed(ask: _Question, alone: str) -> Dependence:
    if alone == _FAILED:
        if not ask.before or ask.ended(ask.before) != _PASSED:
            return ask.independent(_INTERMITTENT.format("failed"))
        return ask.depends(Role.NEEDY, ask.before)
    others = (*ask.before, *ask.after)
    for other in ask.right_after(_FAILED):
        if ask.ended((other,)) == _FAILED:
            return ask.depends(Role.VICTIM, (other,))
    for order in (others, others[::-1]):
        if len(order) > 0 and order != ask.before and ask.ended(order) == _FAILED:
            return ask.depends(Role.VICTIM, order)
    if ask.modules and ask.ended((), Unit.MODULE) == _FAILED:
        return ask.depends(Role.NEEDY, ask.modules, Unit.MODULE)
    return ask.independent(f"it passes alone{_among(others)}")


def _among(others: Sequence[str]) -> str:
    return ", after each other test, after all of them, and in reverse order" if others else "; there is no other test"


def _which_state(found: Dependence, runs: Runs) -> Dependence:
    """Find which of the places that differ after the units decide, and the lines that wrote them."""
    what = Selection(found.test, found.units, found.unit)
    with_them, alone = runs.run(what), runs.run(replace(what, units=()))
    pieces = runs.left_behind(what)
    if pieces is None:
        return replace(found, reason=f"the state that it leaves behind could not be compared: {runs.why_not()}")
    state = _State(what, pieces, with_them, alone, runs)
    tried: tuple[str, ...] = ()
    for groups in accumulate(GROUPS):
        places = tuple(piece.place for piece in pieces if piece.group in groups)
        if places != tried and state.decides(places):
            needed = state.needed(places, found.role)
            mine = tuple(piece for piece in pieces if piece.place in needed)
            alone_enough = state.is_enough(needed)
            found = replace(found, pieces=mine, alone_enough=alone_enough)
            return found if all(piece.is_outside for piece in mine) else _with_lines(found, what, runs)
        tried = places
    return replace(found, reason=_NOTHING_DECIDES.format(len(pieces), *runs.scope()))


@dataclass(frozen=True, slots=True)
class _State:
    """What the units leave behind, and how the test ends after them and without them."""

    what: Selection
    pieces: tuple[Piece, ...]
    with_them: Ended
    alone: Ended
    runs: Runs
    restored: dict[tuple[str, ...], bool] = field(default_factory=dict)
    kept: dict[tuple[str, ...], bool] = field(default_factory=dict)

    def decides(self, places: Sequence[str]) -> bool:
        """Tell whether the test ends as it does without the units if these places are put back."""
        key = tuple(places)
        if key not in self.restored:
            ended = self.runs.put_back(self.what, places)
            self.restored[key] = _alike(ended, self.alone) and ended.others == self.with_them.others
        return self.restored[key]

    def is_enough(self, places: Sequence[str]) -> bool:
        """Tell whether the test ends as it does after the units if all other places are put back."""
        key = tuple(places)
        if key not in self.kept:
            mine = [piece for piece in self.pieces if piece.place in places]
            ended = self.runs.keep(self.what, (*places, *_around(self.pieces, mine)))
            self.kept[key] = _alike(ended, self.with_them)
        return self.kept[key]

    def needed(self, places: Sequence[str], role: Role) -> tuple[str, ...]:
        """Return the fewest places that decide. Where these are not enough by themselves, those that are together."""
        together = self.needed_together(places) if role is Role.NEEDY else ()
        if together:
            return together
        fewest = minimal(places, self.decides)
        if role is Role.VICTIM and not self.is_enough(fewest):
            together = self.needed_together(places)
        return together if 0 < len(together) <= _NAMED_AT_MOST else fewest

    def needed_together(self, places: Sequence[str]) -> tuple[str, ...]:
        """Return the fewest places found with which it ends as it does after the units; none where they do not decide.

        Where each of several has to be as the units left it, any one that is put back decides: to ask for the fewest
        that decide names one of many.
        """
        if not self.is_enough(places):
            return ()
        together = minimal(places, self.is_enough)
        return together if self.decides(together) else ()


def _with_lines(found: Dependence, what: Selection, runs: Runs) -> Dependence:
    """Return it with the lines that wrote its pieces, or with why there are none."""
    written = runs.left_behind(what, found.pieces)
    if written is None:
        return replace(found, reason=f"the line that wrote it was not found: {runs.why_not()}")
    return replace(found, pieces=written)


def _around(pieces: Sequence[Piece], mine: Sequence[Piece]) -> tuple[str, ...]:
    """Return what holds the pieces that decide, and goes with them if it is restored: modules and loggers that came."""
    if any(piece.holder in _NAMES_OF_OTHERS for piece in mine):
        return ()
    return tuple(piece.place for piece in pieces if piece.holder in _NAMES_OF_OTHERS and not piece.before)


def _alike(one: Ended, other: Ended) -> bool:
    """Tell whether the test ended alike: a failure of another kind, or at another line, does not count."""
    return (one.outcome, one.failure) == (other.outcome, other.failure)


_INTERMITTENT = "it {} in re-runs, both alone and after the same tests: it is intermittent"
_NOTHING_DECIDES = (
    "with all {} pieces of state restored that had changed, the outcome is the same. Compared were the process and "
    "{}; not compared were {}: the cause is there, or cannot be restored"
)
