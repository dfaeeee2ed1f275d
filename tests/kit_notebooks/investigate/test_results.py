"""What a run comes to: held, fell, or could not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_output

from kit.errors import PairError
from kit.notebooks.cells import CLAIM_MIME, EXERCISE_MIME
from kit.notebooks.investigate.results import NotebookRun, Status, conclude, judge
from kit.notebooks.investigate.saved import Outcome
from tests.kit_notebooks.investigate.samples import cell, notebook

COMPLETE = {"cells": 1, "ran": 1, "seconds": 1.0}


def executed(*claims: tuple[str, bool], **outcome: Any) -> Any:
    """An executed notebook of one cell with decided claims."""
    nb = notebook(["claim('later', 'Later.', expected=1, observed=1)"])
    nb.metadata["kit"] = {"run": {**COMPLETE, **outcome}}
    for id, held in claims:
        data = {"id": id, "claim": id, "expected": 1, "observed": 1 if held else 0, "held": held, "trials": 1}
        nb.cells[0].outputs.append(new_output("display_data", data={CLAIM_MIME: {**data, "seconds": 0.1}}))
    return nb


def test_a_notebook_holds_when_every_claim_holds() -> None:
    """A complete notebook with claims that all hold has nothing to say against it."""
    run = judge("sample", executed(("a", True), ("later", True)))
    assert (run.status, run.reason, run.remedy, run.held) == (Status.HELD, "", "", 2)


def test_one_claim_that_fell_is_named() -> None:
    """A claim that fell decides the notebook, also where the cell went on and the notebook is complete."""
    run = judge("sample", executed(("a", True), ("b", False)))
    assert run.status is Status.FELL
    assert "the claim b fell: expected 1, observed 0" in run.reason


@pytest.mark.parametrize(
    ("nb", "reason"),
    [
        (executed(), "makes no claim"),
        (executed(("a", True), ("a", True)), "a is made twice"),
        (executed(("a", True), error="LostError", reason="a thread died"), "a thread died"),
        (executed(("a", True), error="KernelDied", reason="it died", stopped_at="In [1] x"), "In [1] x: it died"),
    ],
)
def test_a_notebook_that_did_not_get_to_say_could_not_run(nb: Any, reason: str) -> None:
    """No claim, a claim made twice, a lost error and a dead kernel are each red, with a reason and a remedy."""
    run = judge("sample", nb)
    assert run.status is Status.COULD_NOT_RUN
    assert reason in run.reason
    assert run.remedy


def test_a_claim_that_fell_before_the_kernel_died_counts_as_fallen() -> None:
    """What was decided before a notebook stopped stays decided."""
    run = judge("sample", executed(("a", False), error="KernelDied", reason="it died", ran=0))
    assert run.status is Status.FELL
    assert [claim.id for claim in run.unreached] == ["later"]


@pytest.mark.parametrize(
    "nb", [executed(("a", False)), executed(error="CellTimeLimit", reason="too long")], ids=["fell", "stopped"]
)
def test_what_goes_wrong_beside_a_server_that_fails_is_the_servers(nb: Any) -> None:
    """A notebook that fails while a server does is red with the server named, and what to do about that."""
    run = judge("sample", nb, trouble=PairError("the server test has died", remedy="run it again"))
    assert (run.status, run.remedy) == (Status.COULD_NOT_RUN, "run it again")
    assert run.reason.startswith("the server test has died; ")
    held = judge("sample", executed(("a", True), ("later", True)), trouble=PairError("the server test has died"))
    assert (held.status, held.remarks) == (Status.HELD, ("After the notebook the server test has died.",))


def test_an_error_of_the_kit_says_itself_what_to_do() -> None:
    """The remedy of an error replaces the general one, and an error has its name."""
    nb = executed(error="PairError", reason=str(PairError("nothing listens", remedy="start the pair")))
    run = judge("sample", nb)
    assert (run.reason, run.remedy) == ("PairError: nothing listens.", "start the pair")
    assert judge("sample", executed(error="MemoryError", reason="")).reason == "MemoryError"


def test_what_was_left_behind_is_a_remark() -> None:
    """Open sessions, running processes, passwords and claims not come to are told, and turn nothing red."""
    nb = executed(("a", True), still_running=["sleep 600"], secrets_in=["In [1] x"])
    run = judge("sample", nb, ["test: session 7"])
    assert run.status is Status.HELD
    assert [word for word in ("session 7", "sleep 600", "In [1] x", "later") if word in " ".join(run.remarks)] == [
        "session 7", "sleep 600", "In [1] x", "later",
    ]  # fmt: skip


def test_a_solution_that_does_not_pass_is_red() -> None:
    """With the solutions in, an exercise that is not done is red; with the stubs it is as it should be."""
    nb = executed(("a", True))
    data = {"id": "1", "done": False, "hint": "try again"}
    nb.cells[0].outputs.append(new_output("display_data", data={EXERCISE_MIME: data}))
    assert judge("sample", nb).status is Status.HELD
    assert judge("sample", nb, solved=True).status is Status.COULD_NOT_RUN


def run_of(name: str, status: Status) -> NotebookRun:
    """A notebook's run with this status."""
    return NotebookRun(name, status, Outcome(1, 1, 1.0), (), reason=f"because of {name}", remedy="do it")


@pytest.mark.parametrize(
    ("statuses", "exit_code", "named"),
    [
        ([Status.HELD, Status.HELD], 0, ""),
        ([Status.HELD, Status.FELL], 1, "b: because of b"),
        ([Status.COULD_NOT_RUN, Status.HELD], 2, "a: because of a"),
        ([Status.COULD_NOT_RUN, Status.FELL], 1, "b: because of b (and 1 more notebook is red)"),
    ],
)
def test_a_claim_that_fell_outweighs_a_notebook_that_could_not_run(
    statuses: list[Status], exit_code: int, named: str
) -> None:
    """The run's code is 1 when any claim fell, else 2 when any notebook could not run, else 0; the first is named."""
    result = conclude([run_of(name, status) for name, status in zip("ab", statuses, strict=True)], Path("r"), 2.0)
    assert (result.exit_code, result.reason) == (exit_code, named)
    assert result.remedy == ("do it" if exit_code else "")


def shows(saved: str, given: dict[str, Any], observed: int) -> NotebookRun:
    """What comes of a notebook that has to show a 1, and whose one claim holds whatever it shows."""
    nb = executed(("sites-seen", True), ("later", True))
    nb.cells.insert(0, cell(f"ci_variable: bool = {saved}  # a switch", "parameters", "parameters"))
    nb.metadata["kit"]["shows"] = {"claims": {"sites-seen": 1}, "on": {"ci_variable": True}}
    nb.metadata["papermill"] = {"parameters": given}
    nb.cells[1].outputs[0].data[CLAIM_MIME]["observed"] = observed
    return judge("sample", nb)


@pytest.mark.parametrize(
    ("saved", "given"), [("False", {}), ("True", {}), ("False", {"ci_variable": True}), ("False", {"other": 1})]
)
def test_a_notebook_that_no_longer_shows_what_it_is_about_is_red(saved: str, given: dict[str, Any]) -> None:
    """Predictions that follow a saved parameter, or a failure that is gone, do not make a run green."""
    run = shows(saved, given, observed=0)
    assert run.status is Status.FELL
    assert run.reason == "the notebook no longer shows its effect: expected sites-seen: 1, observed sites-seen: 0"
    assert ("its parameters cell has ci_variable = False" in run.remedy) == (saved == "False")
    assert "put sample.ipynb back as it was" in run.remedy
    assert [(claim.id, claim.held) for claim in run.claims][-1] == ("shows-what-it-is-about", False)
    assert run.cells["shows-what-it-is-about"] == "parameters"


def test_a_failure_that_is_switched_off_by_a_given_parameter_is_said_to_be() -> None:
    """What was left out on purpose is no fault, and is said; where it is shown there is nothing to say."""
    run = shows("True", {"ci_variable": False}, observed=0)
    assert (run.status, len(run.claims)) == (Status.HELD, 2)
    assert run.remarks == (
        "The effect was switched off by parameters (ci_variable = False). By itself the notebook shows sites-seen: 1.",
    )
    run = shows("True", {}, observed=1)
    assert (run.status, run.remarks, len(run.claims)) == (Status.HELD, (), 2)


def test_a_notebook_that_does_not_make_the_claim_does_not_show_it() -> None:
    """A claim that was renamed or left out shows nothing."""
    nb = executed(("later", True))
    nb.metadata["kit"]["shows"] = {"claims": {"sites-seen": 1}}
    assert judge("sample", nb).status is Status.FELL
