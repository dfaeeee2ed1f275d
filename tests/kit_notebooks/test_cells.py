"""What notebooks use: claims, errors that must come, exercises, the set-up."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterable
from enum import Enum
from typing import Any

import pytest

import kit.notebooks.cells
from kit.errors import NotebookError
from kit.evidence.model import Evidence
from kit.evidence.verdict import Ruling, Verdict
from kit.notebooks.cells import (
    CLAIM_MIME,
    EXERCISE_MIME,
    Claim,
    ClaimFell,
    NoError,
    Session,
    claim,
    exercise,
    expect_error,
    start,
    table,
    words,
)
from kit.notebooks.checks import Checked, State
from kit.specimens.trial import Trial, plan


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins without a session, as a new kernel does."""
    monkeypatch.setattr(kit.notebooks.cells, "_session", None)


def made(**given: Any) -> Claim:
    """The claim that comes of these arguments, whether it held or fell."""
    try:
        claim("it", "It is so.", **given)
    except ClaimFell:
        return table().claims[-1]
    return table().claims[-1]


def test_a_claim_that_holds_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A claim whose observation is as expected is shown as held and raises nothing."""
    claim("it", "It is so.", expected=731, observed=731)
    assert "held  it: It is so. | expected 731 | observed 731" in capsys.readouterr().out


def test_a_claim_that_falls_raises_and_is_kept() -> None:
    """A claim whose observation is another raises an AssertionError that names it, and stays in the table as fallen."""
    with pytest.raises(ClaimFell, match=r"it: It is so\. Expected 0, observed 731") as fallen:
        claim("it", "It is so.", expected=0, observed=731)
    assert isinstance(fallen.value, AssertionError)
    assert [one.held for one in table().claims] == [False]


class Color(Enum):
    """A value that JSON does not know."""

    RED = "red"


@pytest.mark.parametrize(
    ("expected", "observed", "held", "kept", "trials"),
    [
        (0, [0, 0, 0], True, 0, 3),
        (0, [0, 731, 0], False, "UNRESOLVED", 3),
        (0, [], False, "UNRESOLVED", 0),
        (0, [731, 731], False, 731, 2),
        ([1, 2], [1, 2], True, [1, 2], 1),
        (Verdict.HOLDS, Ruling(Verdict.HOLDS, "why"), True, "HOLDS", 1),
        (Verdict.BROKEN, [Ruling(Verdict.BROKEN, "a"), Ruling(Verdict.BROKEN, "b")], True, "BROKEN", 2),
        (Verdict.BROKEN, [Ruling(Verdict.BROKEN, "a"), Ruling(Verdict.HOLDS, "b")], False, "UNRESOLVED", 2),
        (Verdict.BROKEN, [Ruling(Verdict.UNRESOLVED, "a")] * 2, False, "UNRESOLVED", 2),
        ({"a", "b"}, {"b", "a"}, True, ["a", "b"], 1),
        (Color.RED, Color.RED, True, "red", 1),
        ({"a": (1, 2)}, {"a": (1, 2)}, True, {"a": [1, 2]}, 1),
        (None, 0, False, 0, 1),
    ],
)
def test_what_was_observed_decides(expected: Any, observed: Any, held: bool, kept: Any, trials: int) -> None:
    """One observation, one per trial, or rulings: they hold when all are as expected, and are kept as plain values."""
    found = made(expected=expected, observed=observed)
    assert (found.held, found.observed, found.trials) == (held, kept, trials)


def test_numbers_of_numpy_are_plain() -> None:
    """A number of numpy's is kept as a number."""
    import numpy

    found = made(expected=2, observed=numpy.int64(2))
    assert (found.held, found.observed, type(found.observed)) == (True, 2, int)


def test_a_comparison_without_yes_or_no_is_refused() -> None:
    """Comparing whole arrays is a mistake that is explained, not a claim."""
    import numpy

    with pytest.raises(NotebookError, match="no yes or no"):
        claim("it", "It is so.", expected=1, observed=numpy.array([1, 2]))


def test_an_id_is_a_plain_name() -> None:
    """An id that could not stand in a link or a file's name is refused."""
    with pytest.raises(NotebookError, match="'The Id'"):
        claim("The Id", "It is so.", expected=1, observed=1)


def test_a_claim_is_kept_as_data() -> None:
    """The output of a claim carries exactly the fields of a finding under the claim's MIME type, and a row to read."""
    bundle = made(expected="<b>", observed="<b>")._repr_mimebundle_()
    assert bundle[CLAIM_MIME].keys() == {"id", "claim", "expected", "observed", "held", "trials", "seconds"}
    assert "&lt;b&gt;" in bundle["text/html"]
    assert "✔ held" in bundle["text/html"]


def test_the_table_grows_by_a_row_per_claim() -> None:
    """The running table has the claims in order; one that is made again replaces its row."""
    for id, value in (("a", 1), ("b", 2), ("a", 3)):
        claim(id, "It is so.", expected=value, observed=value)
    assert [(one.id, one.observed) for one in table().claims] == [("a", 3), ("b", 2)]
    assert table()._repr_mimebundle_()["text/html"].count("<tr>") == 3


def test_an_error_that_comes_is_shown_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A block that fails as predicted goes on, and says with what it failed."""
    with expect_error(ZeroDivisionError, match="division"):
        print(1 / 0)
    assert capsys.readouterr().out == "ZeroDivisionError, as it must be: division by zero\n"


@pytest.mark.parametrize(
    ("fails", "seen"),
    [
        (lambda: None, "no error"),
        (lambda: {}["key"], "KeyError"),
        (lambda: int("x"), "invalid literal"),
    ],
)
def test_a_block_that_does_not_fail_as_predicted_is_red(fails: Any, seen: str) -> None:
    """No error, an error of another type, and one with another message each count as a claim that fell."""
    with pytest.raises(NoError, match=seen):
        with expect_error(ValueError, match="too large"):
            fails()
    assert [one.held for one in table().claims] == [False]


def test_an_interrupt_is_not_an_expected_error() -> None:
    """An interrupt goes through a block that must fail."""
    with pytest.raises(KeyboardInterrupt):
        with expect_error(ValueError):
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (lambda: 4, "Exercise 1: done\n"),
        (lambda: None, "Exercise 1: wrong: four is wanted\n"),
        (lambda: (_ for _ in ()).throw(NotImplementedError), "Exercise 1: not started\n"),
        (lambda: 1 / 0, "Exercise 1: cannot be checked: it raises ZeroDivisionError: division by zero, in line "),
    ],
)
def test_a_check_never_raises(capsys: pytest.CaptureFixture[str], attempt: Any, says: str) -> None:
    """The check of an exercise says what has come of it, with the hint of its assertion, whatever the stub does."""
    with exercise("1"):
        if attempt() != 4:
            raise AssertionError("four is wanted")
    assert capsys.readouterr().out.startswith(says)


def test_a_check_is_kept_as_data_and_its_state_can_be_told_without_colour() -> None:
    """What was said is there for programs, and each state has a word of its own, and no hint is markup."""
    shown = {}
    for state in State:
        bundle = kit.notebooks.cells._Checked("1", Checked(state, "<b>"))._repr_mimebundle_()
        assert bundle[EXERCISE_MIME] == {"id": "1", "done": state is State.DONE, "state": state.value, "hint": "<b>"}
        assert "&lt;b&gt;" in bundle["text/html"]
        shown[state] = bundle["text/html"]
    assert all(state.value in html for state, html in shown.items())


def test_nothing_is_said_in_a_word() -> None:
    """An expectation of no name at all is a word in the table, as an empty cell would say nothing."""
    assert words([]) == words({}) == "none"
    assert words({"pool": ["a", "b"]}) == "pool: a, b"


def test_the_set_up_names_what_it_runs_with(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a pair one line gives the seed and the versions, and the seed is set."""
    start(seed=7, pair=False)
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert all(word in line for word in ("seed 7", "kit ", "Python ", "fastapi ", "sqlalchemy "))
    first = random.random()
    start(seed=7, pair=False)
    assert random.random() == first


def test_importing_it_is_light() -> None:
    """The module loads no table, picture, driver or notebook library."""
    heavy = {"pandas", "numpy", "IPython", "nbformat", "papermill", "psycopg", "sqlalchemy", "fastapi"}
    script = f"import kit.notebooks.cells, sys; sys.exit(bool({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


class _OfEachTrial(Session):
    """A session whose evidence of a trial says nothing but which trial it was."""

    sets = 0

    def run(self, trials: Iterable[Trial]) -> tuple[Evidence, ...]:
        self.sets += 1
        return tuple(Evidence(trial=trial) for trial in trials)


def test_groups_of_trials_run_as_one_set_and_come_back_apart() -> None:
    """Every group gets the evidence of its own trials, in their order, out of one set that runs side by side."""
    session = _OfEachTrial(None, None)
    groups = {name: plan(attempts=[name], repetitions=2) for name in ("none", "real_fix")}
    found = session.run_each({**groups, "empty": ()})
    assert {name: tuple(one.trial for one in of) for name, of in found.items()} == {**groups, "empty": ()}
    assert session.sets == 1


def test_lists_and_mappings_are_shown_by_their_parts() -> None:
    """A reader sees what was expected and observed without the marks of Python."""
    parts = {"suite": "innocent", "ci": ["cause", "late"]}
    assert kit.notebooks.cells.words(parts) == "suite: innocent, ci: cause, late"
    shown = made(expected={"ci": Verdict.HOLDS}, observed={"ci": Verdict.HOLDS})._repr_mimebundle_()["text/html"]
    assert "<td style=\"text-align:left\">ci: HOLDS</td>" in shown
