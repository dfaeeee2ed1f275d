"""What a run on the board shows: the verdict, the prediction, the moment of parting, in HTML and in plain text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from kit.evidence.model import Evidence
from kit.evidence.verdict import Verdict
from kit.notebooks.board.page import code_html, message_html
from kit.notebooks.board.result import Result, describe_difference, describe_verdict, run_beside_clean
from kit.specimens.trial import Trial
from tests.kit_notebooks.board.test_comparing import run

BOTH = ("ci_variable", "global_engine")


def of(trial: Trial) -> Evidence:
    broken = trial.mechanisms == BOTH
    evidence = run("production", "INTEGRATION_DATABASE_URL") if broken else run("test")
    return replace(evidence, trial=replace(trial, stack="2023-11"))


def result(*boxes: str, predicted: Verdict | None = None) -> Result:
    found = run_beside_clean(Trial(boxes), lambda trials: iter([of(trial) for trial in trials]))
    return replace(found, predicted=predicted)


def test_a_trial_is_run_beside_the_clean_project_on_any_stack() -> None:
    """The stack is the session's; the clean project itself is run once, and compared with itself."""
    found = result(*BOTH)
    assert (found.ruling.verdict, found.other_ruling.verdict) == (Verdict.BROKEN, Verdict.HOLDS)
    asked: list[Trial] = []
    run_beside_clean(Trial(()), lambda trials: (asked.append(one) or of(one) for one in trials))
    assert asked == [Trial(())]


@pytest.mark.parametrize(("predicted", "held", "said"), [
    (None, None, "BROKEN: the production server answered the one use of a database in requests, first at "
                 "app/crud.py:20 list_sites (without a dependency)."),
    (Verdict.BROKEN, True, "You predicted BROKEN, and it is so."),
    (Verdict.HOLDS, False, "You predicted HOLDS, and it is BROKEN."),
])
def test_a_prediction_is_answered(predicted: Verdict | None, held: bool | None, said: str) -> None:
    """Whether it held is said in words, and nothing is said where nothing was predicted."""
    found = result(*BOTH, predicted=predicted)
    assert found.prediction_held is held
    assert describe_verdict(found).endswith(said)
    assert ("You predicted" in found._repr_mimebundle_()["text/html"]) == (predicted is not None)


def test_the_moment_of_parting_is_said() -> None:
    """What each run did then, or which of them alone did it; and where nothing differs, that."""
    assert describe_difference(result(*BOTH)) == (
        "This run: INTEGRATION_DATABASE_URL was there at the start, its URL names production. In the clean project: "
        "DATABASE_URL was there at the start, its URL names the test server. This run comes to BROKEN, the clean "
        "project to HOLDS."
    )
    assert describe_difference(result("ci_variable")) == "The two take the same steps in this test. Both come to HOLDS."
    mine = replace(result("ci_variable"), other=replace(run("test"), variables=()))
    assert describe_difference(mine).startswith("Only this run does this: DATABASE_URL was there at the start, ")
    turned = replace(mine, this=mine.other, other=mine.this, beside="run 3")
    assert describe_difference(turned).startswith("Only run 3 does this: DATABASE_URL was there at the start, ")


def test_the_page_marks_the_moment_once_and_before_what_differs() -> None:
    """One line says that here the two part, above the first row that differs, and below all that are the same."""
    page = result(*BOTH)._repr_mimebundle_()["text/html"]
    assert page.count("Here the two part.") == 1
    first = page.index('"kb-what">INTEGRATION_DATABASE_URL was there at the start, its URL names production')
    assert page.index("kb-parted\"") < first
    assert "Here the two part" not in result("ci_variable")._repr_mimebundle_()["text/html"]


def test_what_is_shown_is_said_without_colour() -> None:
    """Each verdict is a word with a mark, each request says whether it differs, and each narrow cell has its label."""
    page = result(*BOTH)._repr_mimebundle_()["text/html"]
    assert "✘ BROKEN" in page
    assert "✔ HOLDS" in page
    assert "≠ differs" in page
    cells = re.findall(r"<td class=\"kb-(?:step|none)[^>]*>", page)
    assert [cell for cell in cells if "data-label" not in cell and "colspan" not in cell] == []
    plain = result(*BOTH)._repr_mimebundle_()["text/plain"]
    for text in ("here the two part", "both: GET /sites", "this run: production answers", "≠ the clean project: test"):
        assert text in plain


def test_the_page_asks_for_nothing_from_elsewhere_and_runs_nothing() -> None:
    """Style and text only: no script, no address, nothing to fetch."""
    page = result(*BOTH)._repr_mimebundle_()["text/html"]
    assert re.findall(r"<script|https?:|url\(|@import|src=", page) == []


def test_what_is_shown_of_others_is_text() -> None:
    """A message and code are escaped, whatever is in them; no message is no element."""
    assert "<b>" not in message_html("<b>")
    assert "<b>" not in code_html("<b>")
    assert message_html("") == ""
