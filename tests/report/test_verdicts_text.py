"""Verdicts as lines of text, and the command that judges again what a run has kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner

from kit.cli import main
from kit.evidence.model import to_json
from kit.report.verdicts_text import lines
from kit.specimens.trial import Trial
from kit.trials.run_folder import EVIDENCE
from tests.evidences import answered_by

CLEAN, REPORTED = Trial(mechanisms=()), Trial()
RUNS = (replace(answered_by("production"), trial=REPORTED), replace(answered_by("test"), trial=CLEAN))


def test_every_trial_has_its_verdict_and_reason() -> None:
    """A line a trial, with the reason where isolation does not hold, and the counts at the end."""
    broken, held, counts = lines(RUNS)
    assert broken.startswith(f"BROKEN      {REPORTED}, repetition 0 (the production server answered the one use")
    assert held == f"HOLDS       {CLEAN}, repetition 0"
    assert counts == "2 trials judged again: 1 HOLDS, 1 BROKEN"


def test_a_runs_evidence_is_judged_again(tmp_path: Path) -> None:
    """`kit verdict` reads what a run has kept, and says the same as the rules do."""
    (tmp_path / EVIDENCE).mkdir()
    for number, evidence in enumerate(RUNS):
        (tmp_path / EVIDENCE / f"{number}.json").write_bytes(to_json(evidence))
    said = CliRunner().invoke(main, ["verdict", str(tmp_path)])
    assert said.exit_code == 0
    assert said.stdout.splitlines() == list(lines(RUNS))


def test_a_folder_without_evidence_is_refused(tmp_path: Path) -> None:
    """Where there is nothing to judge, the command says so and exits with 2."""
    said = CliRunner().invoke(main, ["verdict", str(tmp_path)])
    assert said.exit_code == 2
    assert f"There is no evidence in {tmp_path}" in said.stderr


def test_what_cannot_be_read_is_named_and_the_rest_judged(tmp_path: Path) -> None:
    """A damaged file, one cut off, and one that is nested without end are each named; the exit code is 2."""
    (tmp_path / EVIDENCE).mkdir()
    whole = to_json(RUNS[1])
    for name, content in (("0", whole), ("1", whole[:100]), ("2", b"[]"), ("3", b"[" * 200_000)):
        (tmp_path / EVIDENCE / f"{name}.json").write_bytes(content)
    said = CliRunner().invoke(main, ["verdict", str(tmp_path)])
    assert said.exit_code == 2
    first, second, third, held, counts = said.stdout.splitlines()
    for number, line in enumerate((first, second, third), 1):
        assert line.startswith("UNREAD")
        assert f"{number}.json" in line
    assert held == f"HOLDS       {CLEAN}, repetition 0"
    assert counts == "1 trials judged again: 1 HOLDS, 3 not read"
