from __future__ import annotations

from kit.evidence.verdict import Verdict
from kit.report.heatmap import heatmap

ROWS, COLUMNS = ("nothing", "global_engine"), ("none", "dependency_override")
CELLS = {
    ("nothing", "none"): Verdict.HOLDS, ("global_engine", "none"): Verdict.BROKEN,
    ("nothing", "dependency_override"): Verdict.UNRESOLVED,
}


def test_each_verdict_has_a_mark_of_its_own_and_a_missing_one_none() -> None:
    """What is broken can be told without colour, and a cell that was not run is empty."""
    picture = heatmap({"The suite": CELLS}, ROWS, COLUMNS)
    axes, = picture.figure.axes
    assert sorted(text.get_text() for text in axes.texts) == ["", "?", "✘"]
    assert len(axes.patches) == 3
    assert picture.png().startswith(b"\x89PNG")


def test_the_title_says_which_column_has_nothing_broken() -> None:
    """A remedy that never fails is the finding of a grid; a column that was not run in full is none."""
    assert heatmap({"The suite": CELLS}, ROWS, COLUMNS).title == "The suite: 1 of 3 broken. Nowhere broken: no column"
    held = CELLS | {(row, "dependency_override"): Verdict.HOLDS for row in ROWS}
    title = heatmap({"One test": held, "The suite": held}, ROWS, COLUMNS).title
    assert title == "One test: 1 of 4 broken; The suite: 1 of 4 broken. Nowhere broken: dependency_override"
    other = heatmap({"One test": held, "The suite": CELLS}, ROWS, COLUMNS).title
    assert other.endswith("Nowhere broken: no column")


def test_the_words_name_what_is_broken() -> None:
    """Who cannot see the picture reads the same in a sentence for each column."""
    words = heatmap({"The suite": CELLS}, ROWS, COLUMNS).words
    assert words == "The suite. Broken with:\n  none: global_engine\n  dependency_override: none"
