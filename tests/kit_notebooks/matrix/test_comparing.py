"""What differs between stacks: claims, observations, packages; and what the whole came to."""

from __future__ import annotations

import json
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from kit.notebooks.cells import Claim
from kit.notebooks.investigate.results import Investigation, NotebookRun, Status
from kit.notebooks.investigate.results import conclude as concluded
from kit.notebooks.investigate.saved import Outcome as Saved
from kit.notebooks.matrix import records, shown
from kit.notebooks.matrix.results import Cell, Column, Matrix, Outcome, Package, compare, conclude, differences
from tests.kit_notebooks.investigate.samples import quiet, said

OLD, NEW = {"a": "1.0", "b": "1.0", "c": "1.0"}, {"a": "1.0", "b": "2.0", "d": "1.0"}


def claim(id: str, observed: object, held: bool = True) -> Claim:
    """A decided claim."""
    return Claim(id, f"It is about {id}.", 1, observed, held, 1, 0.5)


def run(*claims: Claim, unreached: tuple[Claim, ...] = ()) -> Investigation:
    """A run of one notebook with these claims."""
    fell = not all(one.held for one in claims)
    status = Status.FELL if fell else Status.COULD_NOT_RUN if unreached else Status.HELD
    reason = "it fell" if fell else "it stopped" if unreached else ""
    return concluded([NotebookRun("01_x", status, Saved(1, 1, 1.0), claims, unreached, reason)], Path("runs/x"), 1.0)


def column(stack: str, packages: dict[str, str], *claims: Claim, **more: object) -> Column:
    """A stack with a run of these claims."""
    return Column(stack, packages, run(*claims), **more)  # type: ignore[arg-type]


def matrix(*columns: Column) -> Matrix:
    """These stacks, compared."""
    return conclude(columns, Path("runs/x"), 2.0)


def lines(found: Matrix) -> str:
    """What is printed of it."""
    console = quiet()
    shown.summary(found, console)
    return said(console)


def test_claims_that_agree_do_not_differ() -> None:
    """With the same verdicts and observations under all stacks no claim differs, and that is said plainly."""
    found = matrix(*(column(name, OLD, claim("x", [1, "a"]), claim("y", 2)) for name in ("old", "mid", "new")))
    assert (found.exit_code, found.differing) == (0, ())
    assert "All 2 claims agree, verdict and observation, under 3 stacks." in lines(found)
    assert "All claims held under 3 stacks" in lines(found)


@pytest.mark.parametrize(
    ("before", "after"),
    [((1, True), (2, False)), ((1, True), (2, True)), ((1, True), (1, False)), (([1], True), ([1, 2], True))],
)
def test_another_verdict_or_observation_differs(before: tuple[object, bool], after: tuple[object, bool]) -> None:
    """A claim differs if its verdict or its observation does, between the two neighbours where that happens."""
    columns = [column("old", OLD, claim("x", *before)), column("mid", OLD, claim("x", *before))]
    found = matrix(*columns, column("new", NEW, claim("x", *after)))
    assert [(row.id, row.changes) for row in found.differing] == [("x", (("mid", "new"),))]
    assert found.exit_code == (0 if after[1] else 1)


def test_only_the_packages_between_the_neighbours_are_named() -> None:
    """For a change the packages that differ between its two stacks are named, new and missing ones too, no others."""
    oldest = column("oldest", {"a": "0.1"}, claim("x", 1))
    found = matrix(oldest, column("old", OLD, claim("x", 1)), column("new", NEW, claim("x", 2)))
    printed = lines(found)
    assert "Between old and new the change lies in these 3 packages: b 1.0 → 2.0, c 1.0 (gone), d 1.0 (new)." in printed
    assert "Between oldest and old" not in printed
    assert differences(OLD, NEW) == (Package("b", "1.0", "2.0"), Package("c", "1.0", None), Package("d", None, "1.0"))
    assert differences(OLD, OLD) == ()


def test_a_stack_without_a_run_is_a_row_and_no_neighbour() -> None:
    """What could not be installed has its reason in a row of its own; the stacks beside it are compared."""
    failed = Column("mid", {}, Investigation(2, "no such index", "look"))
    found = matrix(column("old", OLD, claim("x", 1)), failed, column("new", NEW, claim("x", 2)))
    assert [row.changes for row in found.differing] == [(("old", "new"),)]
    assert (found.exit_code, found.reason, found.remedy) == (2, "mid: no such index", "look")
    assert "no such index" in lines(found)
    suites = xml.fromstring(records.junit(found)).findall("testsuite")
    assert [(suite.get("name"), suite.get("errors")) for suite in suites] == [
        ("old: 01_x", "0"), ("new: 01_x", "0"), ("mid", "1"),
    ]  # fmt: skip


def test_one_stack_is_not_compared() -> None:
    """Where fewer than two stacks ran, nothing is said to agree."""
    failed = Column("mid", {}, Investigation(2, "no such index", "look"))
    assert "nothing is compared" in lines(matrix(column("old", OLD, claim("x", 1)), failed))


def test_a_claim_that_was_not_made_or_not_reached_differs() -> None:
    """A claim that one stack lacks differs; one that was never reached has the reason that its notebook stopped."""
    late = Claim("late", "It is late.", "1", "never reached: In [2]: 3.2 s", False, 0, 0.0)
    stopped = Column("new", NEW, run(claim("x", 1), unreached=(late,)))
    rows, _ = compare([column("old", OLD, claim("x", 1), claim("late", 1), claim("only", 1)), stopped])
    cells = {row.id: row.cells["new"] for row in rows}
    assert cells["late"] == Cell(Outcome.NEVER_REACHED)
    assert cells["only"] == Cell(Outcome.NOT_MADE)
    assert [row.id for row in rows if row.changes] == ["late", "only"]
    assert "as the notebook stopped before it" in shown.changed(next(row for row in rows if row.id == "late"))


def test_claims_that_change_alike_are_told_in_one_line() -> None:
    """Those of a notebook that change between the same stacks, for the same reason, share a line."""
    old = column("old", OLD, claim("x", 1), claim("y", 1), claim("z", 1))
    late = [Claim(id, "It is late.", "1", "never reached", False, 0, 0.0) for id in ("y", "z")]
    stopped = Column("new", NEW, run(claim("x", 2, held=False), unreached=tuple(late)))
    assert [ids for _, ids, _ in shown.changes(matrix(old, stopped))] == [["x"], ["y", "z"]]


@pytest.mark.parametrize(("second", "repeated"), [(2, True), (1, False)])
def test_a_second_run_decides_whether_versions_are_named(second: int, repeated: bool) -> None:
    """A change that a second run of the same stack does not repeat is not put down to versions."""
    old = column("old", OLD, claim("x", 1), again=run(claim("x", 1)))
    found = matrix(old, column("new", NEW, claim("x", 2), again=run(claim("x", second))))
    assert [row.repeated for row in found.differing] == [repeated]
    assert ("the change lies in" in lines(found)) == repeated
    assert ("also between two runs of one stack" in lines(found)) != repeated


def test_what_fell_outweighs_what_could_not_run() -> None:
    """The exit code is that of the worst stack, and its reason names the stack."""
    failed = Column("old", {}, Investigation(2, "no such index", "look"))
    found = matrix(failed, column("new", NEW, claim("x", 2, held=False)))
    assert (found.exit_code, found.reason) == (1, "new: 01_x: it fell (and 1 more of the stacks)")


def test_the_record_has_each_claim_under_each_stack() -> None:
    """matrix.json holds the format, the stacks with their packages, the neighbours, and each claim's cells."""
    found = matrix(column("old", OLD, claim("x", 1)), column("new", NEW, claim("x", 2, held=False)))
    whole = json.loads(records.record(found, {"n": 1}))
    assert (whole["format"], whole["parameters"], whole["exit_code"]) == (1, {"n": 1}, 1)
    assert [(one["stack"], one["packages"], one["ran"]) for one in whole["stacks"]] == [
        ("old", OLD, True), ("new", NEW, True),
    ]  # fmt: skip
    assert whole["neighbours"][0]["packages"][0] == {"name": "b", "before": "1.0", "after": "2.0"}
    assert whole["claims"][0]["stacks"]["new"] == {"outcome": "fell", "expected": 1, "observed": 2}
    assert whole["claims"][0]["changes"] == [{"before": "old", "after": "new"}]


def test_the_page_has_what_differs_and_escapes_it() -> None:
    """The page begins with what differs, marks it, names the packages, and shows foreign text as text."""
    found = matrix(column("old", OLD, claim("x", "<b>")), column("new", NEW, claim("x", "<i>", held=False)))
    page = records.page(found)
    assert page.index("1 of 1 claims differs under 2 stacks.") < page.index("<table")
    assert page.count('class="differs"') == 2  # in the table of what differs, and in that of all claims
    assert "these 3 packages: b 1.0 → 2.0" in page
    assert "&lt;i&gt;" in page
    assert "<i>" not in page
