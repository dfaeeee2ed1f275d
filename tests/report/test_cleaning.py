from __future__ import annotations

import re

from kit.report.cleaning import costs, costs_drawing, join_modes
from kit.trials.cleaning import Cost, Joined

FOUND = (Cost("template clone", 20.0, 0, 0, True), Cost("rollback", 0.5, 0, 1, False))


def test_the_cheapest_way_comes_first_and_the_others_are_told_by_it() -> None:
    """A reader sees how many times dearer a way is, and what it leaves, in one row."""
    table = costs(FOUND)
    assert list(table.index) == ["rollback", "template clone"]
    assert list(table["times the cheapest"]) == [1, 40]
    assert list(table["others' rows left"]) == [1, 0]
    assert list(table["counts from 1"]) == ["no", "yes"]


def test_the_picture_says_the_same_in_words() -> None:
    """Who cannot see the dots reads the medians."""
    assert costs_drawing(FOUND).words == "rollback: 0.5 ms\ntemplate clone: 20.0 ms"


def test_the_title_says_what_a_database_for_each_test_costs_beside_one_that_is_kept() -> None:
    """The finding is the step between the two groups; with one group there is none, and only the range is said."""
    found = (*FOUND, Cost("truncate", 2.0, 0, 0, True))
    assert costs_drawing(found).title == (
        "The cheapest database for each test costs 10.0 times the dearest way that keeps one: 20.0 ms against 2.0 ms"
    )
    assert costs_drawing(FOUND[1:]).title == "What 1 way to clean a database costs a test: rollback: 0.5 ms"


def test_a_way_is_a_mark_at_its_median_and_no_bar() -> None:
    """A logarithmic scale has no zero, so that the length of a bar would mean nothing; shapes tell the groups apart."""
    html = costs_drawing((*FOUND, Cost("truncate", 1.0, 0, 0, True))).html.partition("<ol")[2]
    rows = re.findall(
        r"<li><span>([^<]+)</span>.*?kd-dot\" style=\"left: ([\d.]+)%\"><span[^>]*>(.)</span> ([^<]+)<", html
    )
    assert rows == [("rollback", "23.3", "●", "0.5 ms"), ("truncate", "33.3", "●", "1.0 ms"),
                    ("template clone", "76.7", "■", "20.0 ms")]
    assert re.findall(r'kd-at" style="left: ([\d.]+)%">([^<]+)<', html) == [
        ("0.0", "0.1"), ("33.3", "1"), ("66.7", "10"), ("100.0", "100")]


def test_a_mode_is_one_row_with_both_endings() -> None:
    """What is left is the worst of the two endings."""
    table = join_modes([Joined("control_fully", "commit", 2, 2), Joined("control_fully", "rollback", 0, 0)])
    row, = table.to_dict("records")
    assert row == {"seen after commit": 2, "seen after rollback": 0, "left at the end": 2}
