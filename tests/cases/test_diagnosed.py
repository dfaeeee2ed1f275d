"""Each project under `kit diagnose`: the finding names the culprit, re-runs prove it; a clean one has nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kit.detectors.registry import BY_RERUN
from kit.trials.stacks import stack
from tests.cases.cases import CLEAN, FAULTY, STACKS, TIMEOUT_S, Case, Place, Prepared

KIT = Path(__file__).parents[2]
RUNS_AT_MOST = 6
SHOWN_BY_RERUNS = {kind.name for kind in BY_RERUN}  # the first run has no finding of these
# All that they reach is one file, or one in each process by a variable that names none, so that nothing shows it to be
# the wrong one; or a script of the tests leads there, or what they call makes both engines,
# one of them from a setting that the tests leave as it is; or the tests' own override leads there.
UNTOLD_WITHOUT_A_LIST = {
    "configuration-chosen", "configured-by-the-tests", "database-reached", "engine-differs-by-caller",
    "fixture-names-database", "no-separate-test-db", "override-default", "setting-left-out", "settings-file",
    "variable-in-tests-process-only", "working-directory-changed",
}  # fmt: skip
# Without a list this is still called clean: the tests themselves name it, and no other. The list can only shrink.
CALLED_CLEAN_WITHOUT_A_LIST = {"variable-set-wrong"}


@pytest.fixture(params=STACKS)
def python(request: pytest.FixtureRequest) -> Path:
    return stack(request.param).python


def kit(prepared: Prepared, python: Path, allow: Sequence[str]) -> tuple[int, dict[str, Any], str]:
    """Run `kit diagnose` on a project; return its exit code, its JSON and what it printed."""
    answer = prepared.folder.parent / "diagnose.json"
    options = [*(part for entry in allow for part in ("--allow", entry)), *prepared.case.options]
    done = subprocess.run(
        [sys.executable, "-c", "from kit.cli import main; main()", "diagnose", *options, "--json", str(answer), "--",
         *prepared.command(python)],
        cwd=prepared.folder, env={**prepared.environ, "PYTHONPATH": str(KIT)}, capture_output=True, text=True,
        timeout=10 * TIMEOUT_S, stdin=subprocess.DEVNULL,
    )
    said = done.stdout + done.stderr
    assert answer.exists(), said
    return done.returncode, json.loads(answer.read_text()), said


def names(case: Case, entry: dict[str, Any], place: Place | None = None) -> bool:
    """Tell whether a finding or a cause is of the kind and at the line that the project marks."""
    assert case.finding is not None
    place = place or case.culprit
    return entry["kind"] == case.finding["kind"] and entry["file"] == place.file and entry["line"] in place.lines


@pytest.mark.parametrize("case", FAULTY, ids=lambda case: case.name)
def test_the_cause_is_found_and_proved(case: Case, python: Path, prepare: Callable[[Case], Prepared]) -> None:
    """A finding names the culprit in words that tell its reader what to do, and a few runs prove it or say why not."""
    assert case.finding is not None
    assert case.diagnosis is not None
    prepared = prepare(case)
    exit_code, answer, said = kit(prepared, python, prepared.allow)
    diagnosis = answer["diagnosis"]
    causes = [cause for cause in diagnosis["causes"] if names(case, cause, case.cause)]
    messages = [finding["message"] for finding in answer["findings"] if names(case, finding)]
    if case.finding["kind"] in SHOWN_BY_RERUNS:
        messages = [cause["what"] for cause in causes]
    assert messages, said
    assert all(word in messages[0] for word in case.finding["says"]), messages[0]
    assert (diagnosis["status"], exit_code) == (("proved", 1) if case.is_proved else ("unresolved", 3)), said
    if case.is_proved:
        assert any(cause["fix"] for cause in causes), said
    else:
        assert diagnosis["causes"] == []
        assert all(word in "\n".join(diagnosis["unproved"]) for word in case.diagnosis["says"]), said
    assert len(diagnosis["runs"]) <= case.diagnosis.get("runs", RUNS_AT_MOST)
    left = {question: prepared.ask(database, question) for database in case.databases for question in database.after}
    assert left == {question: answer for database in case.databases for question, answer in database.after.items()}


@pytest.mark.parametrize("case", CLEAN, ids=lambda case: case.name)
@pytest.mark.parametrize("told", [True, False], ids=["allowed", "not-told"])
def test_nothing_is_found_where_nothing_is_wrong(
    case: Case, told: bool, python: Path, prepare: Callable[[Case], Prepared]
) -> None:
    """A clean project has no finding, with its databases allowed by name and without a list."""
    prepared = prepare(case)
    exit_code, answer, said = kit(prepared, python, prepared.allow if told else ())
    assert answer["findings"] == [], said
    assert answer["diagnosis"]["status"] == "clean", said
    assert exit_code == 0


# One stack is enough: without a list the same questions are asked of the same evidence.
@pytest.mark.parametrize(
    ("case", "stack_name"),
    [(case, case.stacks[-1]) for case in FAULTY if case.name not in CALLED_CLEAN_WITHOUT_A_LIST],
    ids=lambda value: value.name if isinstance(value, Case) else value,
)
def test_without_a_list_no_leak_is_called_clean(
    case: Case, stack_name: str, prepare: Callable[[Case], Prepared]
) -> None:
    """A diagnosis without a list proves a cause or asks for the list; it never says that nothing is wrong."""
    _, answer, said = kit(prepare(case), stack(stack_name).python, ())
    assert "--allow" in said or answer["diagnosis"]["status"] == "proved", said
    assert "othing is wrong" not in said
    told = any(names(case, one) for one in (*answer["findings"], *answer["diagnosis"]["causes"]))
    by_rerun = case.name in SHOWN_BY_RERUNS and answer["diagnosis"]["status"] != "proved"  # nothing was run again
    assert told is (case.name not in UNTOLD_WITHOUT_A_LIST and not by_rerun), said
    assert answer["diagnosis"]["status"] != "clean"
