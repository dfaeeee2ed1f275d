"""What a test leaves for another is told with the change, and with pytest's own way to take it back."""

from __future__ import annotations

import pytest

from kit.diagnosing.order.concluded import causes, unproved
from kit.diagnosing.order.model import FILES, ROWS, RUNNING, SESSIONS, Dependence, Line, Piece, Role

LEAVES, FAILS = "tests/test_a.py::test_leaves", "tests/test_b.py::test_fails"
IN_TEST, IN_APPLICATION = Line("tests/test_a.py", 4, "test_leaves"), Line("app/state.py", 9, "keep")


def dependence(*pieces: Piece, reason: str = "", alone_enough: bool = True) -> Dependence:
    return Dependence(FAILS, Role.VICTIM, (LEAVES,), pieces=pieces, alone_enough=alone_enough, reason=reason)


def piece(place: str, before: str, after: str, *written: Line, group: str = "globals") -> Piece:
    holder, dot, name = place.rpartition(".")
    label = f"{dot}{name}" if holder else place
    return Piece(place, group, holder, label, before, after, written)


@pytest.mark.parametrize(
    ("left", "change", "remedy"),
    [
        (piece("app.urls", "", "['x']", IN_TEST), "sets app.urls to ['x'] and does not restore it",
         "monkeypatch.setattr(app, 'urls', ...) ends with the test"),
        (piece("app.urls", "['x']", "", IN_TEST), "removes app.urls (it was ['x']) and", "monkeypatch.setattr(app"),
        (piece("app.urls", "a list", "a list", IN_TEST), "changes app.urls (a list) and", "monkeypatch.setattr(app"),
        (piece("app.urls", "[]", "['x']", IN_APPLICATION), "changes app.urls from [] to ['x'] and",
         "in a fixture, after its yield (the test changes it through app/state.py:9)"),
        (piece("app.sites", "no value", "a cache of 2 values", IN_TEST), "changes app.sites from",
         "call app.sites.cache_clear() in a fixture, after its yield"),
        (Piece("os.environ['DB']", "environ", "os.environ", "['DB']", "'a'", "'b'", (IN_TEST,)),
         "changes os.environ['DB'] from 'a' to 'b'", "monkeypatch.setenv('DB', ...) ends with the test"),
        (Piece("app.urls['x']", "globals", "app.urls", "['x']", "1", "2", (IN_TEST,)),
         "changes app.urls['x'] from 1 to 2", "monkeypatch.setitem(app.urls, 'x', ...) ends with the test"),
        (piece("working directory", "/a", "/b", IN_TEST), "changes working directory from /a to /b",
         "monkeypatch.chdir(...) ends with the test"),
        (Piece("sys.path", "path", "sys.path", "", "3 entries", "4 entries", (IN_TEST,)), "changes sys.path from",
         "monkeypatch.syspath_prepend(...) ends with the test"),
        (piece("locale", "C", "de_DE", IN_TEST), "changes locale from C to de_DE", "in a fixture, after its yield."),
        (piece("out.txt", "", "3 bytes", IN_TEST, group=FILES),
         "leaves out.txt with 3 bytes (not there before), written at tests/test_a.py:4", "write to tmp_path instead"),
        (piece("out.txt", "3 bytes", "", group=FILES), "leaves no out.txt, removed by it", "write to tmp_path instead"),
        (piece("table sites", "1 row", "2 rows", IN_TEST, group=ROWS),
         "leaves table sites with 2 rows (1 row before), written at tests/test_a.py:4",
         "let a fixture roll back what tests/test_a.py:4 writes, or delete it after its yield"),
        (piece("table sites", "1 row", "", group=ROWS), "leaves no table sites, dropped by it",
         "let a fixture make it again as it was, after its yield"),
        (piece("table sites", "1 row", "altered: with age int", IN_TEST, group=ROWS),
         "leaves table sites altered: with age int, at tests/test_a.py:4", "let a fixture make it again as it was"),
        (piece("index ix", "", "there", IN_TEST, group=ROWS),
         "leaves index ix, which was not there before, made at tests/test_a.py:4", "or delete it after its yield"),
        (piece("the child process `serve`", "", "there", IN_TEST, group=RUNNING),
         "leaves the child process `serve` running, started at tests/test_a.py:4", "let a fixture end it and wait"),
        (Piece("setting search_path of a kept connection to shop", SESSIONS, "", "setting search_path", "a", "b",
               (IN_TEST,)),
         "leaves setting search_path of a kept connection to shop at b (a before), changed at", "`set local` ends by"),
        (Piece("setting user_version of t.db", ROWS, "", "setting user_version", "", "7", (IN_TEST,)),
         "leaves setting user_version of t.db at 7 (not set before), changed at", "let a fixture reset it"),
        (piece("sequence ids", "1", "9", IN_APPLICATION, group=ROWS),
         "leaves sequence ids at 9 (1 before), changed at app/state.py:9", "roll back what app/state.py:9 writes"),
    ],
    ids=lambda given: f"{given.place} {given.before}-{given.after}" if isinstance(given, Piece) else "",
)  # fmt: skip
def test_a_change_is_told_with_what_takes_it_back(left: Piece, change: str, remedy: str) -> None:
    """The sentence names both tests, the change and its line; the remedy fits what was changed."""
    (cause,) = causes(dependence(left), 1)
    assert cause.finding.message.startswith(f"{LEAVES} {change}")
    assert f"{FAILS} fails" in cause.finding.message
    assert f"Restore {left.place} after {LEAVES}: " in cause.fix
    assert remedy in cause.fix


def test_a_listener_under_two_names_is_one_cause() -> None:
    """SQLAlchemy's list is in two places: the event is named, and nothing else that the same line wrote is left out."""
    event = piece("the listeners of PoolEvents.checkout", "0 entries", "1 entry", IN_TEST)
    alias = piece("app.pool.dispatch._empty_listeners['checkout'].parent_listeners", "0 entries", "1 entry", IN_TEST)
    (cause,) = causes(dependence(alias, event), 1)
    assert "the listeners of PoolEvents.checkout" in cause.what
    assert cause.alone
    other = piece("the listeners of PoolEvents.checkin", "0 entries", "1 entry", IN_TEST)
    told = [one.what for one in causes(dependence(alias, event, other), 1)]
    assert [name in one for name, one in zip(("checkout", "checkin"), told, strict=True)] == [True, True]


def test_one_line_that_listens_to_an_event_of_two_classes_is_two_causes() -> None:
    """`for kind in (Pool, Engine): listen(kind, "close", ...)` leaves two listeners, and each has to be taken away."""
    places = ["the listeners of PoolEvents.close", "the listeners of ConnectionEvents.close"]
    both = [piece(place, "0 entries", "1 entry", IN_TEST) for place in places]
    alias = piece("app.pool.dispatch._empty_listeners['close'].parent_listeners", "0 entries", "1 entry", IN_TEST)
    told = [one.what for one in causes(dependence(alias, *both), 1)]
    assert [place in one for place, one in zip(places, told, strict=True)] == [True, True]


def test_what_cannot_be_restored_is_named_and_not_proved() -> None:
    """A table that cannot be made again is told with the line that dropped it, and is no cause."""
    gone = piece("table own", "1 row", "", IN_TEST, group=ROWS)
    found = Dependence(FAILS, Role.VICTIM, (LEAVES,), reason="nothing decides", unrestored=(gone,))
    assert list(causes(found, 1)) == []
    assert list(unproved(found)) == [
        f"{FAILS} passes alone and fails after {LEAVES}; nothing decides.",
        f"{LEAVES} leaves no table own, dropped at tests/test_a.py:4."
        " The kit cannot restore that, so it is not proved.",
    ]


def test_what_was_not_shown_is_said() -> None:
    """A dependence without its state, with half of it, and with state that decides only together with other state."""
    left = piece("app.urls", "[]", "['x']", IN_TEST)
    begins = f"{FAILS} passes alone and fails after {LEAVES}"
    assert list(unproved(dependence(reason="no state that differs decides"))) == [
        f"{begins}; no state that differs decides."
    ]
    assert list(unproved(dependence(left, reason="only once"))) == [f"{begins}; only once."]
    (said,) = unproved(dependence(left, alone_enough=False))
    assert said.startswith("It is not shown that app.urls alone decides")
    assert list(unproved(dependence(left))) == []
