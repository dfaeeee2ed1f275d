"""Evidence that is kept of a run, trials that cannot run, and what is said of both."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import cast

import pytest

from kit.errors import EvidenceError, TrialError
from kit.pair import Pair
from kit.trials.cache import kept
from kit.trials.fork_server import ParentAddress
from kit.trials.run_folder import EVIDENCE
from kit.trials.runner import run_all


def test_evidence_that_cannot_be_read_is_told_in_its_place(tmp_path: Path) -> None:
    """One damaged file costs one trial; a folder without any evidence is named."""
    with pytest.raises(EvidenceError, match="There is no evidence"):
        kept(tmp_path)
    (tmp_path / EVIDENCE).mkdir()
    for name in ("a.json", "b.json"):
        (tmp_path / EVIDENCE / name).write_text("{")
    found = list(kept(tmp_path))
    assert [type(one) for one in found] == [EvidenceError, EvidenceError]
    assert ["a.json" in str(one) for one in found] == [True, False]


def test_a_trial_whose_parent_has_ended_says_so(tmp_path: Path) -> None:
    """The parent that should run a command may have been killed: there is no exit code, and the reason is told."""
    ended = ParentAddress(str(tmp_path / "gone"), sys.executable, None).run(["true"], {}, tmp_path, 60)
    assert (ended.exit_code, ended.timed_out, ended.output) == (None, False, "")
    assert "its parent has ended" in str(ended.problem)


@pytest.mark.parametrize("timeout_s", [0, -1, math.nan])
def test_a_limit_in_which_no_trial_can_end_is_refused(timeout_s: float) -> None:
    """It is told before a database is made or an interpreter is started."""
    with pytest.raises(TrialError, match=r"A trial may take .* s.*more than 0"):
        list(run_all((), cast(Pair, None), timeout_s=timeout_s))
