"""The re-runs of the search: the command with other tests selected, and with state restored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from kit.diagnosing.order.model import Line, Piece, Unit
from kit.diagnosing.order.search import Ended, Selection
from kit.evidence.model import Evidence, Outcome
from kit.probes.interventions.base import Intervention
from kit.probes.interventions.state import LeaveBehind
from kit.probes.interventions.tests import AfterEach, LeaveOut, OneProcess, RunFirst, RunOnly
from kit.probes.sealed import Seal
from kit.typed import typed


class _Difference(msgspec.Struct, frozen=True):
    """A difference as a run reports it; for one outside the process, also its writer."""

    place: str
    group: str
    holder: str
    label: str
    before: str
    after: str
    written: tuple[tuple[str, int, str], ...] = ()
    notes: tuple[tuple[str, str, int], ...] = ()
    can_go_back: bool = True


class _Written(msgspec.Struct, frozen=True):
    """A run's report on the differences after its units; see kit.probes.interventions.state."""

    differences: tuple[_Difference, ...] = ()
    writes: dict[str, tuple[tuple[tuple[str, int, str], ...], ...]] = {}
    looked: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()  # a place, and why it could not be read


_NEVER_COMPARED = ("files outside of the project", "processes that the tests did not start")


@dataclass
class Reruns:
    """Makes the runs. `again` makes a re-run; `tests` are all tests of the first run, in order.

    A run reports differences of state in `file`. `place` is the command's folder, `socket` where a run requests a
    comparison of the state outside the process.
    """

    again: Callable[[str, Sequence[Intervention]], Evidence]
    tests: tuple[str, ...]
    file: Path
    seal: Seal
    place: Path
    socket: str = ""
    not_looked_at: Mapping[str, str] = field(default_factory=dict)  # a database, and why
    known: dict[Selection, Ended] = field(default_factory=dict)
    _looked: tuple[str, ...] = ()
    _unread: tuple[tuple[str, str], ...] = ()
    _failed_probes: tuple[str, ...] = ()  # of the latest run
    _timed_out: bool = False

    def run(self, what: Selection) -> Ended:
        """Run the test after the units; equal runs are made once."""
        if what not in self.known:
            self.known[what] = self._run(what, _describe_selection(what))
        return self.known[what]

    def ended_right_after(self, test: str) -> tuple[tuple[str, str], ...]:
        """Run the test again after each other test, in one run; return each other test and the outcome after it."""
        evidence = self.again("the test once more after each other test", [OneProcess(), AfterEach(test)])
        found: dict[str, str] = {}
        before = ""
        for outcome in evidence.outcomes:
            if outcome.test != test:
                before = outcome.test
            elif before and found.get(before) != "failed":
                found[before] = outcome.outcome
        return tuple(found.items())

    def left_behind(self, what: Selection, watch: Sequence[Piece] = ()) -> tuple[Piece, ...] | None:
        """Run the selection; return what differs after the units, or `watch` with the lines that wrote each piece last.

        None when nothing was compared: the units did not finish, or not under pytest.
        """
        said = "looking for the line that wrote it" if watch else "comparing the state before and after"
        self.file.unlink(missing_ok=True)
        watched = tuple(piece.watched() for piece in watch if not piece.is_outside)
        self._run(what, f"the same, {said}", replace(self._looking(what), watched=watched))
        written = self._read()
        if written is None:
            return None
        self._looked, self._unread = written.looked, written.unread
        if watch:
            return tuple(
                piece if piece.is_outside else replace(piece, written=self._lines(written, piece)) for piece in watch
            )
        return tuple(self._piece(one) for one in written.differences)

    def scope(self) -> tuple[str, str]:
        """What the latest run compared outside the process, and what it did not, as two texts."""
        looked = ", ".join(["what was written to files of the project", *(self._looked or ("no database",))])
        left_out = [f"{name} ({why})" for name, why in (*self.not_looked_at.items(), *self._unread)]
        return looked, ", ".join([*left_out, *_NEVER_COMPARED])

    def why_not(self) -> str:
        """Why nothing was compared in the latest run."""
        if self._failed_probes:
            return f"the probe {'; '.join(self._failed_probes)}, which is a fault of the kit to report"
        if self._timed_out:
            return "the run was ended at its time limit (--timeout)"
        return "state is compared under pytest only, after tests that ran to their end"

    def put_back(self, what: Selection, places: Sequence[str]) -> Ended:
        """Run the selection with these places restored after the units."""
        shown = places[0] if len(places) == 1 else f"{len(places)} pieces of state"
        return self._run(what, f"the same, {shown} restored", replace(self._looking(what), put_back=tuple(places)))

    def keep(self, what: Selection, places: Sequence[str]) -> Ended:
        """Run the selection with all other places restored after the units."""
        kept = replace(self._looking(what), keep=tuple(places))
        return self._run(what, "the same, everything else restored", kept)

    def _looking(self, what: Selection) -> LeaveBehind:
        return LeaveBehind(what.units, str(self.file), self.seal.key, socket=self.socket, folder=".")

    def _run(self, what: Selection, said: str, *more: Intervention) -> Ended:
        evidence = self.again(said, [*self._selecting(what), *more])
        self._timed_out = evidence.timed_out
        self._failed_probes = tuple(
            f"{name} failed ({why})" for process in evidence.processes for name, why in process.failures.items()
        )
        return _ended(evidence, what)

    def _selecting(self, what: Selection) -> list[Intervention]:
        kept = {what.test, *what.units} if what.unit is Unit.TEST else {what.test}
        others = LeaveOut(tuple(test for test in self.tests if test not in kept))
        if what.unit is Unit.MODULE:
            return [RunOnly((*what.units, what.test)), OneProcess(), others]
        return [OneProcess(), others, RunFirst((*what.units, what.test))]

    def _read(self) -> _Written | None:
        try:
            return typed(msgspec.json.decode(self.seal.opened(self.file.read_text(encoding="ascii"))), _Written)
        except (OSError, ValueError, msgspec.DecodeError):  # the run ended before the report was written
            return None

    def _lines(self, written: _Written, piece: Piece) -> tuple[Line, ...]:
        return self._as_lines(written.writes.get(piece.place, ((),))[-1])

    def _as_lines(self, stack: Sequence[tuple[str, int, str]]) -> tuple[Line, ...]:
        return tuple(Line(self._relative(file), line, function) for file, line, function in stack)

    def _piece(self, one: _Difference) -> Piece:
        notes = tuple((said, self._relative(file), line) for said, file, line in one.notes)
        written = self._as_lines(one.written)
        said = one.place, one.group, one.holder, one.label, one.before, one.after
        return Piece(*said, written, notes, one.can_go_back)

    def _relative(self, file: str) -> str:
        path = Path(file)
        return str(path.relative_to(self.place)) if path.is_relative_to(self.place) else file


def _ended(evidence: Evidence, what: Selection) -> Ended:
    outcomes = outcomes_of(evidence)
    outcome, failure = outcomes.get(what.test, ("", ""))
    own = [refusal for refusal in evidence.refusals if refusal.test == what.test]
    if evidence.timed_out or len(own) < len(evidence.refusals):  # the run was stopped: the outcome means nothing
        outcome = ""
    elif own:
        outcome, failure = "failed", f"{own[0].database} refused"
    others = tuple((unit, outcomes[unit][0]) for unit in what.units if unit in outcomes)
    return Ended(outcome, failure, others)


def outcomes_of(evidence: Evidence) -> dict[str, tuple[str, str]]:
    """{test: (outcome, a text that distinguishes its failure from others)}, in the order of the run."""
    found: dict[str, tuple[str, str]] = {}
    for outcome in evidence.outcomes:
        if outcome.when == "collect":
            continue
        if outcome.outcome == "failed":
            found.setdefault(outcome.test, ("", ""))
            if found[outcome.test][0] != "failed":
                found[outcome.test] = "failed", _failure(outcome)
        else:
            found.setdefault(outcome.test, (outcome.outcome, ""))
    return found


def _failure(outcome: Outcome) -> str:
    kind = re.match(r"[\w.]*", outcome.message or "")
    return f"{kind[0] if kind else ''} at {outcome.at or '?'}"


def _describe_selection(what: Selection) -> str:
    if not what.units:
        return "the test alone" + ("" if what.unit is Unit.TEST else ", no other module collected")
    after = what.units[0] if len(what.units) == 1 else f"{len(what.units)} {what.unit}s"
    return f"the test after {'collecting ' if what.unit is Unit.MODULE else ''}{after}"
