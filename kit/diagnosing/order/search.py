"""Find what a test depends on, with few short runs. Pure except for `Runs`, which makes them.

1. The test alone: with every module collected, and with only its own module collected.
2. The units that make the difference, by delta debugging.
3. The state that they leave behind, and the deciding piece of it, by restoring pieces.
4. The lines that wrote that piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Protocol

from kit.diagnosing.minimal import minimal
from kit.diagnosing.order.model import FILES, FRESH, ROWS, RUNNING, SESSIONS, Dependence, Piece, Role, Unit

# Groups of places, tried cumulatively in this order, the likeliest first. Rows in a database that a test created itself
# seldom affect the next test; the state that leads that test to the database is tried first.
# A pool of processes may wait forever for a worker that was ended, so these come late, too.
GROUPS = (
    (ROWS, FILES, SESSIONS), ("project", "fixtures", "process"), ("libraries",), (RUNNING,), ("modules",), (FRESH,),
)  # fmt: skip
_NAMES_OF_OTHERS = ("sys.modules", "logging.root.manager.loggerDict")
_PASSED, _FAILED = "passed", "failed"
_NAMED_AT_MOST = 6  # places that only act together
_TRIED_AT_MOST = 4  # tests right after which the outcome differed


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run executes: the test after these units.

    If the units are tests, every module is collected; if they are modules, no other module is.
    """

    test: str
    units: tuple[str, ...]
    unit: Unit


@dataclass(frozen=True, slots=True)
class Ended:
    """The outcome of the test: "passed", "failed", or "" if it did not run; `others` are the units' outcomes.

    `failure` distinguishes failures: the type of the error, and the line that raised it.
    """

    outcome: str
    failure: str = ""
    others: tuple[tuple[str, str], ...] = ()


class Runs(Protocol):
    """Makes runs of the command. Each method raises OutOfRuns at the limit of re-runs."""

    def run(self, what: Selection) -> Ended:
        """Run the test after the units."""

    def ended_right_after(self, test: str) -> tuple[tuple[str, str], ...]:
        """Run the test again after each other test, in one run; return each other test and the outcome after it."""

    def left_behind(self, what: Selection, watch: Sequence[Piece] = ()) -> tuple[Piece, ...] | None:
        """Run the selection; return what differs after the units, or `watch` with the lines that wrote each piece.

        None when nothing was compared.
        """

    def scope(self) -> tuple[str, str]:
        """What was compared outside the process, and what was not, as two texts."""

    def why_not(self) -> str:
        """Why nothing was compared in the latest run."""

    def put_back(self, what: Selection, places: Sequence[str]) -> Ended:
        """Run the selection with these places restored after the units."""

    def keep(self, what: Selection, places: Sequence[str]) -> Ended:
        """Run the selection with all other places restored after the units."""


def search(
    test: str, first: str, before: Sequence[str], after: Sequence[str], modules: Sequence[str], runs: Runs
) -> Dependence:
    """Find what a test depends on.

    `first` is its outcome in the first run, "passed" or "failed"; `before` and `after` are the tests around it in that
    run, `modules` the test modules other than its own.
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
        """The fewest units after which the test has this outcome, given that it has it after all of them."""
        return minimal(units, lambda chosen: self.ended(chosen, unit) == outcome)

    def depends(self, role: Role, units: Sequence[str], unit: Unit = Unit.TEST) -> Dependence:
        outcome = _FAILED if role is Role.VICTIM else _PASSED
        return Dependence(self.test, role, self.smallest(units, outcome, unit), unit)

    def right_after(self, outcome: str) -> tuple[str, ...]:
        """Tests right after which the test had this outcome; those where the outcome changed come first."""
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
    return _explain_failed(ask, alone) if first == _FAILED else _explain_passed(ask, alone)


def _explain_failed(ask: _Question, alone: str) -> Dependence:
    if alone == _PASSED:
        return _after_the_same_tests(ask, alone, Role.VICTIM)
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
    return ask.independent(f"it fails alone, too{_describe_tried(others)}")


def _explain_passed(ask: _Question, alone: str) -> Dependence:
    if alone == _FAILED:
        return _after_the_same_tests(ask, alone, Role.NEEDY)
    others = (*ask.before, *ask.after)
    for other in ask.right_after(_FAILED):
        if ask.ended((other,)) == _FAILED:
            return ask.depends(Role.VICTIM, (other,))
    for order in (others, others[::-1]):
        if len(order) > 0 and order != ask.before and ask.ended(order) == _FAILED:
            return ask.depends(Role.VICTIM, order)
    if ask.modules and ask.ended((), Unit.MODULE) == _FAILED:
        return ask.depends(Role.NEEDY, ask.modules, Unit.MODULE)
    return ask.independent(f"it passes alone{_describe_tried(others)}")


def _after_the_same_tests(ask: _Question, alone: str, role: Role) -> Dependence:
    """Alone the test ended otherwise than in the first run: does it end as in that one after the tests before it?"""
    again = ask.ended(ask.before) if ask.before else alone
    if again == alone:
        return ask.independent(_INTERMITTENT.format(alone))
    if again not in (_PASSED, _FAILED):
        return ask.independent(_NOT_COMPARED.format(alone))
    return ask.depends(role, ask.before)


def _describe_tried(others: Sequence[str]) -> str:
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
    stayed = tuple(piece for piece in pieces if not piece.can_go_back)
    reason = _NOTHING_DECIDES.format(len(pieces) - len(stayed), *runs.scope())
    return replace(found, reason=reason, unrestored=stayed)


@dataclass(frozen=True, slots=True)
class _State:
    """What the units leave behind, and the outcome of the test after them and without them."""

    what: Selection
    pieces: tuple[Piece, ...]
    with_them: Ended
    alone: Ended
    runs: Runs
    restored: dict[tuple[str, ...], bool] = field(default_factory=dict)
    kept: dict[tuple[str, ...], bool] = field(default_factory=dict)

    def decides(self, places: Sequence[str]) -> bool:
        """Whether the test ends as it does without the units when these places are restored."""
        key = tuple(places)
        if key not in self.restored:
            ended = self.runs.put_back(self.what, places)
            self.restored[key] = _ended_alike(ended, self.alone) and ended.others == self.with_them.others
        return self.restored[key]

    def is_enough(self, places: Sequence[str]) -> bool:
        """Whether the test ends as it does after the units when all other places are restored."""
        key = tuple(places)
        if key not in self.kept:
            mine = [piece for piece in self.pieces if piece.place in places]
            ended = self.runs.keep(self.what, (*places, *_around(self.pieces, mine)))
            self.kept[key] = _ended_alike(ended, self.with_them)
        return self.kept[key]

    def needed(self, places: Sequence[str], role: Role) -> tuple[str, ...]:
        """The fewest places that decide; if these are not sufficient alone, the places that are sufficient together."""
        together = self.needed_together(places) if role is Role.NEEDY else ()
        if together:
            return together
        fewest = minimal(places, self.decides)
        if role is Role.VICTIM and not self.is_enough(fewest):
            together = self.needed_together(places)
        return together if 0 < len(together) <= _NAMED_AT_MOST else fewest

    def needed_together(self, places: Sequence[str]) -> tuple[str, ...]:
        """The fewest places that are sufficient together for the outcome after the units; empty if they do not decide.

        If several places must all be as the units left them, restoring any of them decides. Minimising by `decides`
        alone would then name only one of many.
        """
        if not self.is_enough(places):
            return ()
        together = minimal(places, self.is_enough)
        return together if self.decides(together) else ()


def _with_lines(found: Dependence, what: Selection, runs: Runs) -> Dependence:
    """Add the lines that wrote its pieces, or the reason why they are unknown."""
    written = runs.left_behind(what, found.pieces)
    if written is None:
        return replace(found, reason=f"the line that wrote it was not found: {runs.why_not()}")
    return replace(found, pieces=written)


def _around(pieces: Sequence[Piece], mine: Sequence[Piece]) -> tuple[str, ...]:
    """New modules and loggers, which hold the deciding pieces and must not be restored with the other places."""
    if any(piece.holder in _NAMES_OF_OTHERS for piece in mine):
        return ()
    return tuple(piece.place for piece in pieces if piece.holder in _NAMES_OF_OTHERS and not piece.before)


def _ended_alike(one: Ended, other: Ended) -> bool:
    """Whether two runs of the test ended equally: a failure of another type, or at another line, does not count."""
    return (one.outcome, one.failure) == (other.outcome, other.failure)


_INTERMITTENT = "it {} in re-runs, both alone and after the same tests: it is intermittent"
_NOT_COMPARED = "it {} alone, and the re-run after the same tests did not reach its end, so the two cannot be compared"
_NOTHING_DECIDES = (
    "the outcome is the same after all {} changed pieces of state were restored. The process and {} were compared, and "
    "not {}: the cause is there, or cannot be restored"
)
