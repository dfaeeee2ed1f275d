from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from kit.diagnosing.order.model import FRESH, ROWS, Dependence, Line, Piece, Role, Unit
from kit.diagnosing.order.search import Ended, Selection, search

TESTS = tuple(f"a.py::test_{number}" for number in range(20))
MODULES = ("b.py", "c.py", "d.py")
LINE = Line("a.py", 7, "test_3")


def piece(place: str, group: str = "project") -> Piece:
    return Piece(place, group, "app", place, "1", "2")


@dataclass
class World:
    """Stands for a suite: how the test ends after units, and with which places as they were before."""

    fails: Callable[[Selection, frozenset[str]], bool]
    pieces: tuple[Piece, ...] = (
        piece("app.noise"), piece("app.config"), piece("app.other"), piece("lib.x", "libraries")
    )  # fmt: skip
    looked_at: bool = True
    asked: list[Selection] = field(default_factory=list)

    def run(self, what: Selection) -> Ended:
        self.asked.append(what)
        return self._ended(what, frozenset())

    def ended_right_after(self, test: str) -> tuple[tuple[str, str], ...]:
        fails = {other: self.fails(Selection(test, (other,), Unit.TEST), frozenset()) for other in TESTS}
        return tuple((other, "failed" if failed else "passed") for other, failed in fails.items())

    def left_behind(self, what: Selection, watch: Sequence[Piece] = ()) -> tuple[Piece, ...] | None:
        if not self.looked_at:
            return None
        return tuple(replace(one, written=(LINE,)) for one in watch) or self.pieces

    def scope(self) -> tuple[str, str]:
        return "shop_test", "prod (it is not on the allow-list)"

    def why_not(self) -> str:
        return "a probe failed"

    def put_back(self, what: Selection, places: Sequence[str]) -> Ended:
        return self._ended(what, frozenset(places))

    def keep(self, what: Selection, places: Sequence[str]) -> Ended:
        return self._ended(what, frozenset(one.place for one in self.pieces) - set(places))

    def _ended(self, what: Selection, restored: frozenset[str]) -> Ended:
        outcome = "failed" if self.fails(what, restored) else "passed"
        return Ended(outcome, "assert" if outcome == "failed" else "", tuple((unit, "passed") for unit in what.units))


def asked_of(world: World, first: str, position: int = 10) -> Dependence:
    return search("t", first, TESTS[:position], TESTS[position:], MODULES, world)


def test_a_victim_its_polluter_and_its_piece_of_state() -> None:
    """Of ten tests before it one makes it fail, by one of four places: both are found, and the line that wrote it."""
    world = World(lambda what, restored: TESTS[3] in what.units and "app.config" not in restored)
    found = asked_of(world, "failed")
    assert (found.role, found.units, found.unit) == (Role.VICTIM, (TESTS[3],), Unit.TEST)
    assert [(one.place, one.written) for one in found.pieces] == [("app.config", (LINE,))]
    assert found.alone_enough


def test_few_runs_are_made() -> None:
    """The polluter among a thousand tests is found in about two runs for each time that they can be halved."""
    many = tuple(f"a.py::test_{number}" for number in range(1000))
    world = World(lambda what, restored: many[700] in what.units and "app.config" not in restored)
    found = search("t", "failed", many, (), (), world)
    assert found.units == (many[700],)
    assert len(world.asked) <= 2 * 10 + 4


@pytest.mark.parametrize("together", [(TESTS[2], TESTS[8]), TESTS[1:4]])
def test_units_that_only_act_together_are_found(together: tuple[str, ...]) -> None:
    """Where several tests must come before it, all of them are named, in their order, and no others."""
    world = World(lambda what, restored: set(together) <= set(what.units) and "app.config" not in restored)
    assert asked_of(world, "failed").units == together


def test_places_that_only_act_together_are_found() -> None:
    """Where two places must be put back, both are pieces."""
    world = World(
        lambda what, restored: TESTS[3] in what.units and not {"app.config", "lib.x"} <= restored
    )  # fmt: skip
    assert [one.place for one in asked_of(world, "failed").pieces] == ["app.config", "lib.x"]


def test_a_test_that_needs_another() -> None:
    """A test that passes only after another names it, whether the first run had them in that order or not."""
    world = World(lambda what, restored: TESTS[5] not in what.units or "app.config" in restored)
    found = asked_of(world, "passed")
    assert (found.role, found.units, [one.place for one in found.pieces]) == (Role.NEEDY, (TESTS[5],), ["app.config"])
    before_it = World(lambda what, restored: TESTS[15] not in what.units or "app.config" in restored)
    assert asked_of(before_it, "failed").units == (TESTS[15],)


def test_a_test_that_needs_another_whose_work_is_undone() -> None:
    """A test that failed where it stood, and fails after all others, passes right after one: it needs that one.

    Where it needs two, and a third undoes it, the reverse order shows it.
    """
    undone = World(lambda what, restored: what.units[-1:] != (TESTS[15],) or "app.config" in restored)
    found = asked_of(undone, "failed")
    assert (found.role, found.units, [one.place for one in found.pieces]) == (Role.NEEDY, (TESTS[15],), ["app.config"])

    def fails(what: Selection, restored: frozenset[str]) -> bool:
        both = {TESTS[1], TESTS[2]} <= set(what.units)
        return not both or TESTS[19] in what.units[what.units.index(TESTS[1]) :] or "app.config" in restored

    assert set(asked_of(World(fails), "failed").units) == {TESTS[1], TESTS[2]}


def test_a_module_whose_collection_makes_it_fail() -> None:
    """Where the test fails alone with everything collected and passes with its own module only, a module is named."""

    def fails(what: Selection, restored: frozenset[str]) -> bool:
        collected = what.unit is Unit.TEST or "c.py" in what.units
        return collected and "app.config" not in restored

    found = asked_of(World(fails), "failed")
    assert (found.role, found.units, found.unit) == (Role.VICTIM, ("c.py",), Unit.MODULE)


def test_a_victim_that_passed_in_the_first_run() -> None:
    """A test that passes where it stands, and fails after a test that comes later, is a victim of that one.

    It is found, too, where a third test repairs the state, so that all others together do no harm.
    """
    world = World(lambda what, restored: TESTS[14] in what.units and "app.config" not in restored)
    assert asked_of(world, "passed").units == (TESTS[14],)
    repaired = World(
        lambda what, restored: TESTS[14] in what.units and len(what.units) < 5 and "app.config" not in restored
    )  # fmt: skip
    assert asked_of(repaired, "passed").units == (TESTS[14],)


@pytest.mark.parametrize(
    ("first", "fails", "reason"),
    [
        ("failed", lambda what, restored: True, "it fails alone, too"),
        ("failed", lambda what, restored: False, "it is intermittent"),
        ("passed", lambda what, restored: False, "it passes alone"),
    ],
)
def test_a_test_that_does_not_depend_on_others(
    first: str, fails: Callable[[Selection, frozenset[str]], bool], reason: str
) -> None:
    """A test that ends alike alone and after others has no isolation problem, and that is said."""
    found = asked_of(World(fails), first)
    assert found.role is Role.INDEPENDENT
    assert reason in found.reason


@pytest.mark.parametrize("first", ["failed", "passed"])
def test_a_run_that_does_not_reach_the_test_is_no_outcome_of_it(first: str) -> None:
    """A test that ends otherwise alone is not called intermittent where the run after the same tests was stopped."""
    world = World(lambda what, restored: first == "passed")
    ended = world._ended
    world._ended = lambda what, restored: Ended("") if what.units else ended(what, restored)  # type: ignore[method-assign]
    found = asked_of(world, first)
    assert found.role is Role.INDEPENDENT
    assert "intermittent" not in found.reason
    assert "did not reach its end" in found.reason


def test_a_run_that_ends_the_units_otherwise_proves_nothing() -> None:
    """Where putting a place back makes the polluter itself fail, that the test passes then is no proof."""
    world = World(lambda what, restored: TESTS[3] in what.units and not restored)
    ended = world._ended
    world._ended = lambda what, restored: Ended(  # type: ignore[method-assign]
        ended(what, restored).outcome, "", tuple((unit, "failed" if restored else "passed") for unit in what.units)
    )
    found = asked_of(world, "failed")
    assert found.pieces == ()
    assert "The process and shop_test were compared, and not prod (it is not on the allow-list)" in found.reason


def test_a_failure_of_another_kind_proves_nothing() -> None:
    """Where putting a place back makes the needy test fail otherwise than alone, the place is no cause."""
    needy = World(lambda what, restored: TESTS[5] not in what.units or "app.config" in restored)
    ended = needy._ended
    needy._ended = lambda what, restored: replace(  # type: ignore[method-assign]
        ended(what, restored), failure="ImportError at lib.py:1" if restored else "AssertionError at a.py:9"
    )
    found = asked_of(needy, "passed")
    assert (found.units, found.pieces) == ((TESTS[5],), ())
    victim = World(lambda what, restored: TESTS[3] in what.units and "app.config" not in restored)
    victim.keep = lambda what, places: Ended("failed", "ImportError at lib.py:1")  # type: ignore[method-assign]
    assert not asked_of(victim, "failed").alone_enough


def test_what_decides_outside_of_the_process_is_not_claimed() -> None:
    """Where no place makes a difference, or nothing was looked at, there is no piece, and why is said."""
    world = World(lambda what, restored: TESTS[3] in what.units)
    found = asked_of(world, "failed")
    assert (found.units, found.pieces) == ((TESTS[3],), ())
    assert "all 4 changed pieces of state" in found.reason
    world.looked_at = False
    assert asked_of(world, "failed").reason == "the state that it leaves behind could not be compared: a probe failed"


def test_a_line_that_could_not_be_looked_for_is_said() -> None:
    """Where the run that looks for the line comes to no end, the piece is there, and why it has no line."""
    world = World(lambda what, restored: TESTS[3] in what.units and "app.config" not in restored)
    left_behind = world.left_behind
    world.left_behind = lambda what, watch=(): None if watch else left_behind(what)  # type: ignore[method-assign]
    found = asked_of(world, "failed")
    assert [(one.place, one.written) for one in found.pieces] == [("app.config", ())]
    assert found.reason == "the line that wrote it was not found: a probe failed"


def test_places_each_of_which_decides_are_named_together() -> None:
    """Where it fails only with two places as they were left, both are pieces: one by itself is not enough."""
    world = World(
        lambda what, restored: TESTS[3] in what.units and "app.config" not in restored and "app.noise" not in restored
    )
    found = asked_of(world, "failed")
    assert [one.place for one in found.pieces] == ["app.noise", "app.config"]
    assert found.alone_enough


def test_a_place_that_is_not_enough_by_itself_is_said() -> None:
    """Where the test passes though only the other places were put back, the piece alone is not what makes it fail."""
    world = World(lambda what, restored: TESTS[3] in what.units and "app.config" not in restored)
    world.keep = lambda what, places: Ended("passed")  # type: ignore[method-assign]
    found = asked_of(world, "failed")
    assert [one.place for one in found.pieces] == ["app.config"]
    assert not found.alone_enough


def test_all_that_a_needy_test_needs_is_named() -> None:
    """A test that needs two places, each of which would do to make it fail, names both, and no third."""
    world = World(
        lambda what, restored: TESTS[5] not in what.units or bool({"app.config", "app.other"} & restored)
    )  # fmt: skip
    found = asked_of(world, "passed")
    assert (found.role, [one.place for one in found.pieces]) == (Role.NEEDY, ["app.config", "app.other"])
    assert found.alone_enough


def test_a_needy_test_with_two_places_to_choose_from() -> None:
    """Where either of two places is enough, neither is claimed to decide by itself: both are what must be there."""
    world = World(
        lambda what, restored: TESTS[5] not in what.units or {"app.config", "app.other"} <= restored
    )  # fmt: skip
    assert [one.place for one in asked_of(world, "passed").pieces] == ["app.config", "app.other"]


def test_what_holds_a_piece_stays_with_it() -> None:
    """A module that came with the polluter is not taken away where a piece in it is kept: it would go with it."""
    module = Piece("sys.modules['app']", "modules", "sys.modules", "['app']", "", "<module>")
    gone = Piece("sys.modules['old']", "modules", "sys.modules", "['old']", "<module>", "")
    world = World(
        lambda what, restored: TESTS[3] in what.units and not {"app.config", module.place} & restored,
        pieces=(piece("app.config"), piece("app.other"), module, gone),
    )
    kept: list[tuple[str, ...]] = []
    keep = world.keep
    world.keep = lambda what, places: kept.append(tuple(places)) or keep(what, places)  # type: ignore[method-assign, func-returns-value]
    found = asked_of(world, "failed")
    assert ([one.place for one in found.pieces], found.alone_enough) == (["app.config"], True)
    assert kept == [("app.config", module.place)]


def test_rows_are_asked_first_and_those_of_a_new_database_last() -> None:
    """What decides is looked for in databases that were there, then in the process, then in those that were made."""
    groups = {"new": FRESH, "cache": "project", "old": ROWS}
    pieces = tuple(Piece(name, group, "", "", "0 rows", "1 row") for name, group in groups.items())
    for decides, tried in (("old", ["old"]), ("cache", ["old", "cache"]), ("new", ["old", "cache", "new"])):
        asked: list[str] = []

        def fails(what: Selection, restored: frozenset[str], decides: str = decides, asked: list[str] = asked) -> bool:
            asked.extend(name for name in sorted(restored, key=list(groups)[::-1].index) if name not in asked)
            return bool(what.units) and decides not in restored

        found = asked_of(World(fails, pieces=pieces), "failed")
        assert [piece.place for piece in found.pieces] == [decides]
        assert asked[: len(tried)] == tried


@pytest.mark.parametrize(("first", "said"), [("failed", "it fails alone, too; "), ("passed", "it passes alone; ")])
def test_of_a_suite_of_one_test_nothing_is_said_of_others(first: str, said: str) -> None:
    """Where there is no other test, no run after others is told of."""
    world = World(lambda what, restored: first == "failed")
    assert search(TESTS[0], first, (), (), (), world).reason == f"{said}there is no other test"
