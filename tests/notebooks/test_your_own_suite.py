from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.diagnosing.command import RUNS_AT_MOST
from kit.notebooks.investigate import investigate
from tests.cases.cases import CASES, Case, Prepared
from tests.cases.conftest import prepare  # noqa: F401
from tests.notebooks.sources import ROOT, read

NOTEBOOK = ROOT / "notebooks" / "your_own_suite.ipynb"
ASKED = {"override-cleared-by-other-test": "proved", "clean_override": "clean"}


@pytest.mark.parametrize("case", [case for case in CASES if case.name in ASKED], ids=lambda case: case.name)
def test_the_notebook_asks_about_another_project(
    case: Case, prepare: Callable[[Case], Prepared], tmp_path: Path  # noqa: F811
) -> None:
    """A path, a command and a list of databases are all that the notebook needs of somebody's project."""
    prepared = prepare(case)
    result = investigate(
        [NOTEBOOK],
        {
            "project": str(prepared.folder), "command": shlex.join(prepared.command(sys.executable)),
            "allow": ", ".join(prepared.allow), "expected": ASKED[case.name],
        },
        environ=prepared.environ, jobs=1, out=tmp_path / "runs", solved=True,
    )  # fmt: skip
    assert result.exit_code == 0, result.reason


def test_the_time_that_is_said_is_the_limit() -> None:
    """Who plans for a diagnosis by the first cell is not kept longer than it says."""
    said = re.findall(r"at most (\d+) more to prove", read(NOTEBOOK).cells[0].source)
    assert said == [str(RUNS_AT_MOST)]
