"""Predictions: asked where somebody is there, silent elsewhere, answered by the claim of the same id."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

import kit.notebooks.cells
from kit.errors import NotebookError
from kit.evidence.verdict import Ruling, Verdict
from kit.notebooks import predictions
from kit.notebooks.cells import ClaimFell, claim, predict
from kit.notebooks.predictions import Prediction, answer, buttons, is_observed

QUESTION = "Which *verdict* will `it` be?"
OPTIONS = {"HOLDS": "the engine was made before.", "BROKEN": "nothing leads there"}
BROKEN = Ruling(Verdict.BROKEN, "the production server answered")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins without a session and without a prediction, as a new kernel does."""
    monkeypatch.setattr(kit.notebooks.cells, "_session", None)
    monkeypatch.setattr(predictions, "_predictions", {})


def asked(said: str | None, options: Mapping[str, str] = OPTIONS) -> Prediction:
    """A prediction that was asked in this kernel, with what its reader said."""
    predict("it", QUESTION, options)
    found = predictions._predictions["it"]
    found.said = said
    return found


def test_nothing_is_shown_where_nobody_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Outside of a frontend a prediction asks nothing, and its claim says no more than any other."""
    predict("it", QUESTION, OPTIONS)
    assert capsys.readouterr().out == ""
    claim("it", "It is so.", expected=Verdict.BROKEN, observed=BROKEN)
    assert "You said" not in capsys.readouterr().out


@pytest.mark.parametrize(("option", "observed", "same"), [
    ("HOLDS", "HOLDS", True), ("a: 1, b: 2", "b: 2, a: 1", True), ("a: 1, b: 2", "a: 2, b: 1", False),
    ("HOLDS, BROKEN", "BROKEN, HOLDS", False), ("a: 1", "a: 1, b: 2", False),
])
def test_the_order_of_a_mappings_parts_does_not_count(option: str, observed: str, same: bool) -> None:
    """What has names may come in any order, what has none may not."""
    assert is_observed(option, observed) is same


@pytest.mark.parametrize("options", [{}, {"HOLDS": "why"}, {"HOLDS": "why", "BROKEN": ""}, {"": "why", "BROKEN": "x"}])
def test_a_prediction_without_a_choice_or_a_reason_is_refused(options: dict[str, str]) -> None:
    """There are two options or more, and each has the sentence that answers who chose it in vain."""
    with pytest.raises(NotebookError, match="two or more, each with why it is wrong"):
        predict("it", QUESTION, options)


@pytest.mark.parametrize(("said", "observed", "answered"), [
    ("HOLDS", [BROKEN] * 3, "You said HOLDS; 3 of 3 trials say BROKEN, because the engine was made before."),
    ("BROKEN", [BROKEN] * 3, "You said BROKEN, and 3 of 3 trials say so."),
    ("BROKEN", BROKEN, "You said BROKEN, and the trial says so."),
    ("HOLDS", BROKEN, "You said HOLDS; the trial says BROKEN, because the engine was made before."),
])
def test_a_claim_answers_its_prediction(
    said: str, observed: object, answered: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was said, what so many trials say, and in one sentence why the two differ."""
    asked(said)
    claim("it", "It is so.", expected=Verdict.BROKEN, observed=observed)
    assert capsys.readouterr().out.splitlines()[-1] == answered


def test_what_no_option_names_has_no_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """Where trials disagree, nobody is told why an answer is wrong, for none is right."""
    asked("HOLDS")
    with pytest.raises(ClaimFell):
        claim("it", "It is so.", expected=Verdict.BROKEN, observed=[BROKEN, Ruling(Verdict.HOLDS, "another")])
    assert capsys.readouterr().out.splitlines()[-1] == "You said HOLDS; what was observed is UNRESOLVED."


def test_an_answer_is_compared_in_the_words_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A list of one is its one part, none of it is none: what a reader would read in the table of claims."""
    asked("override", {"override": "its session is not used", "without a dependency": "it is set"})
    claim("it", "It is so.", expected=["without a dependency"], observed=["without a dependency"], trials=3)
    assert capsys.readouterr().out.splitlines()[-1] == (
        "You said override; the 3 trials together say without a dependency, because its session is not used."
    )


def test_what_no_single_trial_shows_is_said_by_all_together(capsys: pytest.CaptureFixture[str]) -> None:
    """One value that follows from several trials, as a role does, is not said of each of them."""
    asked("pool: cause", {"pool: cause": "a pool alone leads there", "pool: necessary": "it needs a visit"})
    claim("it", "It is so.", expected={"pool": "necessary"}, observed={"pool": "necessary"}, trials=12)
    assert capsys.readouterr().out.splitlines()[-1] == (
        "You said pool: cause; the 12 trials together say pool: necessary, because a pool alone leads there."
    )


def test_another_claim_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """A prediction is answered by the claim of its id alone."""
    asked("HOLDS")
    claim("other", "It is so.", expected=1, observed=1)
    assert "You said" not in capsys.readouterr().out


def test_the_button_that_is_clicked_last_is_what_was_said() -> None:
    """Each option has a button; the chosen one is marked by a sign, not by its colour alone, and can be changed."""
    found = Prediction("it", QUESTION, OPTIONS)
    question, row, said = buttons(found).children
    assert question.value == "<b>Predict.</b> Which <em>verdict</em> will <code>it</code> be?"
    assert [button.description for button in row.children] == list(OPTIONS)
    row.children[0].click()
    row.children[1].click()
    assert found.said == "BROKEN"
    assert [button.description for button in row.children] == ["HOLDS", "● BROKEN"]
    assert "You say BROKEN" in said.value


def test_a_question_that_is_asked_again_has_no_answer_yet() -> None:
    """Who runs its cell again begins anew."""
    asked("HOLDS")
    predict("it", QUESTION, OPTIONS)
    assert answer("it", "BROKEN", 1) == ""
