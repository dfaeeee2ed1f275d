"""What a seat has solved is read from its record, whatever else is in that file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.notebooks.classroom import table
from kit.notebooks.classroom.records import Solved, read, solved
from kit.notebooks.seat import RECORD, Tasks

KNOWN = {"00_one": Tasks(("p1", "p2"), ("e1",)), "01_two": Tasks((), ("e2",))}
AT = "2026-03-01T09:30:0{}Z"


def lines(*records: dict[str, object]) -> list[str]:
    return [json.dumps({"at": AT.format(number), **record}) for number, record in enumerate(records)]


def test_the_first_answer_to_a_prediction_counts() -> None:
    """Who is wrong at first and then right was wrong at first, and the other way round."""
    found = solved("seat-01", lines(
        {"prediction": "p1", "right": False}, {"prediction": "p1", "right": True},
        {"prediction": "p2", "right": True}, {"prediction": "p2", "right": False},
    ), KNOWN)  # fmt: skip
    assert (found.right, found.wrong, found.last) == (["p2"], ["p1"], AT.format(3))


def test_an_exercise_that_was_done_stays_done() -> None:
    """It is refused until a check finds it done, and no later check takes that back; not started counts as nothing."""
    states = ["not started", "wrong", "cannot be checked"]
    records = [{"exercise": "e1", "state": state} for state in states]
    found = solved("seat-01", lines(*records), KNOWN)
    assert (found.done, found.refused) == ([], ["e1"])
    found = solved("seat-01", lines(*records, {"exercise": "e1", "state": "done"}, records[1]), KNOWN)
    assert (found.done, found.refused) == (["e1"], [])
    assert solved("seat-01", lines(records[0]), KNOWN).refused == []


@pytest.mark.parametrize("line", [
    "", "{", "null", "[]", "7", '"text"', "[" * 9999, '{"notebook": ["00_one"]}', '{"notebook": {"a": 1}}',
    '{"prediction": "of others", "right": true}', '{"exercise": "\\u001b[2J", "state": "done"}', "\x00\ufffd",
])  # fmt: skip
def test_what_is_no_record_does_not_count(line: str) -> None:
    """Lines that were cut, damaged or written by somebody else change nothing, and are not shown."""
    record = lines({"notebook": "00_one"})
    found = solved("seat-01", [line, *record, line], KNOWN)
    assert found == Solved("seat-01", ["00_one"], last=AT.format(0))


def test_a_time_that_is_none_is_not_shown() -> None:
    """A record counts without its time where that is not one."""
    found = solved("seat-01", ['{"at": "<b>now</b>", "notebook": "00_one"}'], KNOWN)
    assert (found.notebooks, found.last) == (["00_one"], None)


def test_every_seat_has_a_row(tmp_path: Path) -> None:
    """The table has the seats in the order of their numbers, and one whose record is missing has solved nothing."""
    for name in ("seat-10", "seat-9", "seat-02", "others"):
        (tmp_path / name).mkdir()
    kept = lines({"notebook": "01_two"}, {"exercise": "e2", "state": "done"})
    (tmp_path / "seat-9" / RECORD).write_text("\n".join(kept))
    (tmp_path / "seat-10" / RECORD).mkdir()
    rows = read(tmp_path, KNOWN)
    assert [row.seat for row in rows] == ["seat-02", "seat-9", "seat-10"]
    shown = table.lines(rows, {"seat-9": "up"}, KNOWN)
    assert [line.split() for line in shown[1:]] == [
        ["seat-02", "-", "-", "0", "of", "2", "0", "0", "of", "2", "0", "-"],
        ["seat-9", "up", "01", "0", "of", "2", "0", "1", "of", "2", "0", "09:30:01"],
        ["seat-10", "-", "-", "0", "of", "2", "0", "0", "of", "2", "0", "-"],
    ]


def test_the_json_has_the_ids() -> None:
    """A program gets what was solved by its ids, and all that there is to solve."""
    found = table.as_json([solved("seat-01", lines({"exercise": "e2", "state": "done"}), KNOWN)], {}, KNOWN)
    assert json.loads(json.dumps(found)) == {
        "format": 1,
        "seats": [{
            "seat": "seat-01", "notebooks": [], "predictions": {"right": [], "wrong": []},
            "exercises": {"done": ["e2"], "refused": []}, "last": AT.format(0), "state": None,
        }],
        "of": {
            "00_one": {"predictions": ["p1", "p2"], "exercises": ["e1"]},
            "01_two": {"predictions": [], "exercises": ["e2"]},
        },
    }  # fmt: skip
