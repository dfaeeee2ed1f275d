from __future__ import annotations

from dataclasses import dataclass

from kit.report.gutter import TRACKS_AT_MOST, gutter


@dataclass(frozen=True)
class Made:
    engine: str = ""
    uses: tuple[str, ...] = ()
    makes: bool = False


def test_an_engine_that_nothing_uses_has_no_line() -> None:
    """It is a circle in its own row."""
    [[line], none] = gutter([Made("e1", makes=True), Made()])
    assert (line.part, line.above, line.below) == ("alone", False, False)
    assert none == ()


def test_a_track_is_free_again_after_the_last_use() -> None:
    """An engine that is made later stands in the first track that is free, and lines never share one."""
    rows = [Made("e1", makes=True), Made("e2", makes=True), Made(uses=("e1",)), Made("e3", makes=True),
            Made(uses=("e3", "e2"))]
    lines = gutter(rows)
    assert {line.engine: line.track for row in lines for line in row} == {"e1": 0, "e2": 1, "e3": 0}
    assert all(len({line.track for line in row}) == len(row) for row in lines)


def test_each_use_is_one_arrow() -> None:
    """The line of an engine goes on to its last use, with an arrow in each row that used it, and in no other."""
    rows = [Made("e1", makes=True), Made(uses=("e1",)), Made(), Made(uses=("e1",)), Made()]
    assert [[line.part for line in row] for row in gutter(rows)] == [["made"], ["used"], ["passes"], ["used last"], []]


def test_many_engines_at_once_take_no_more_room() -> None:
    """Beyond the number of tracks an engine has no line; what used it still names it."""
    rows = [*(Made(f"e{n}", makes=True) for n in range(50)), *(Made(uses=(f"e{n}",)) for n in range(50))]
    assert max(line.track for row in gutter(rows) for line in row) == TRACKS_AT_MOST - 1


def test_an_engine_that_was_not_seen_has_no_arrow() -> None:
    """What used an engine whose making is no row here has no line."""
    assert gutter([Made(uses=("e9",)), Made(engine="e9")]) == ((), ())
