"""Each project under `kit diagnose`: the finding names the culprit, experiments prove it; a clean one has nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kit.stacks import STACKS, stack
from tests.cases.cases import CLEAN, FAULTY, TIMEOUT_S, Case, Prepared

KIT = Path(__file__).parents[2]
RUNS_AT_MOST = 6
# All that they reach is one file, so that nothing shows it to be the wrong one.
UNTOLD_WITHOUT_A_LIST = {"no-separate-test-db", "working-directory-changed"}


@pytest.fixture(params=STACKS)
def python(request: pytest.FixtureRequest) -> Path:
    return stack(request.param).python


def kit(prepared: Prepared, python: Path, command: str, allow: Sequence[str]) -> tuple[int, dict[str, Any], str]:
    """Run a command of the kit on a project; return its exit code, its JSON and what it printed."""
    answer = prepared.folder.parent / f"{command}.json"
    allowed = [part for entry in allow for part in ("--allow", entry)]
    done = subprocess.run(
        [sys.executable, "-c", "from kit.cli import main; main()", command, *allowed, "--json", str(answer), "--",
         *prepared.command(python)],
        cwd=prepared.folder, env={**prepared.environ, "PYTHONPATH": str(KIT)}, capture_output=True, text=True,
        timeout=10 * TIMEOUT_S, stdin=subprocess.DEVNULL,
    )
    said = done.stdout + done.stderr
    assert answer.exists(), said
    return done.returncode, json.loads(answer.read_text()), said


def names(case: Case, entry: dict[str, Any]) -> bool:
    """Tell whether a finding or a cause is of the kind and at the line that the project marks."""
    assert case.finding is not None
    place = case.culprit
    return entry["kind"] == case.finding["kind"] and entry["file"] == place.file and entry["line"] in place.lines


@pytest.mark.parametrize("case", FAULTY, ids=lambda case: case.name)
def test_the_cause_is_found_and_proved(case: Case, python: Path, prepare: Callable[[Case], Prepared]) -> None:
    """A finding names the culprit in words that tell its reader what to do, and a few runs prove it."""
    prepared = prepare(case)
    exit_code, answer, said = kit(prepared, python, "diagnose", prepared.allow)
    found = [finding for finding in answer["findings"] if names(case, finding)]
    assert found, said
    assert case.finding is not None
    assert all(word in found[0]["message"] for word in case.finding["says"]), found[0]["message"]
    assert answer["diagnosis"]["status"] == "proved", said
    assert any(names(case, cause) and cause["fix"] for cause in answer["diagnosis"]["causes"]), said
    assert exit_code == 1
    assert len(answer["diagnosis"]["runs"]) <= RUNS_AT_MOST
    left = {question: prepared.ask(database, question) for database in case.databases for question in database.after}
    assert left == {question: answer for database in case.databases for question, answer in database.after.items()}


@pytest.mark.parametrize("case", CLEAN, ids=lambda case: case.name)
@pytest.mark.parametrize("told", [True, False], ids=["allowed", "not-told"])
def test_nothing_is_found_where_nothing_is_wrong(
    case: Case, told: bool, python: Path, prepare: Callable[[Case], Prepared]
) -> None:
    """A clean project has no finding, whether its databases are allowed by name or nobody has said."""
    prepared = prepare(case)
    exit_code, answer, said = kit(prepared, python, "diagnose", prepared.allow if told else ())
    assert answer["findings"] == [], said
    assert answer["diagnosis"]["status"] == "clean", said
    assert exit_code == 0


# One stack is enough: without a list the same questions are asked of the same evidence.
@pytest.mark.parametrize("stack_name", STACKS[-1:])
@pytest.mark.parametrize("case", FAULTY, ids=lambda case: case.name)
def test_without_a_list_no_leak_is_called_clean(
    case: Case, stack_name: str, prepare: Callable[[Case], Prepared]
) -> None:
    """A diagnosis without a list proves a cause or asks for the list; it never says that nothing is wrong."""
    _, answer, said = kit(prepare(case), stack(stack_name).python, "diagnose", ())
    assert "--allow" in said or answer["diagnosis"]["status"] == "proved", said
    assert "othing is wrong" not in said
    told = any(names(case, finding) for finding in answer["findings"])
    assert told is (case.name not in UNTOLD_WITHOUT_A_LIST), said
    assert answer["diagnosis"]["status"] != "clean"
