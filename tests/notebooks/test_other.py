"""What `make test-all` adds: each notebook with other parameters, and on the other stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.investigate import investigate
from kit.stacks import STACKS
from tests.notebooks.sources import NOTEBOOKS, companions, other_parameters

OTHERS = [path for path in NOTEBOOKS if other_parameters(path)]
WITHOUT = {"99_findings", "your_own_suite"}  # the one reads another run, the other is run on other projects, below

pytestmark = [
    pytest.mark.timeout(1200),  # the full design, on a machine that may be busy
    pytest.mark.usefixtures("own_pair"),
]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("path", OTHERS, ids=[path.stem for path in OTHERS])
def test_other_parameters_hold(path: Path, stack: str, tmp_path: Path) -> None:
    """Predictions follow from the parameters: with others, and on both stacks, every claim holds as well."""
    result = investigate(
        [*companions(path), path], other_parameters(path), stack=stack, jobs=1, out=tmp_path, solved=True
    )
    assert result.exit_code == 0, result.reason


@pytest.mark.parametrize("stack", STACKS[1:])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_defaults_hold_on_every_stack(path: Path, stack: str, tmp_path: Path) -> None:
    """With its defaults a notebook ends green on the stack of the report, too."""
    result = investigate([*companions(path), path], stack=stack, jobs=1, out=tmp_path, solved=True)
    assert result.exit_code == 0, result.reason


def test_every_notebook_has_other_parameters() -> None:
    """A notebook that is run with its defaults alone is one of those that are known."""
    assert {path.stem for path in NOTEBOOKS} - {path.stem for path in OTHERS} == WITHOUT
