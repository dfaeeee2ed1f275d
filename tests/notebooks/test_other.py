"""Each notebook with other parameters, and on the other stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.notebooks.investigate import investigate
from kit.notebooks.investigate.parameters import declared
from tests.notebooks.sources import LONGEST, NOTEBOOKS, claims, companions, other_parameters, parameters, read

OTHERS = [path for path in NOTEBOOKS if other_parameters(path)]
WITHOUT = {"99_claims", "your_own_suite"}  # the one reads another run, the other is run on other projects, below

pytestmark = [
    pytest.mark.timeout(1200),  # the full design, on a machine that may be busy
    pytest.mark.usefixtures("own_pair", "shared_trials"),
]


@pytest.mark.parametrize("path", OTHERS, ids=[path.stem for path in OTHERS])
def test_other_parameters_hold(path: Path, tmp_path: Path) -> None:
    """Predictions follow from the parameters: with others every claim holds as well."""
    result = investigate([*companions(path), path], other_parameters(path), jobs=1, out=tmp_path, solved=True)
    assert result.exit_code == 0, result.reason
    shows = read(path).metadata.get("kit", {}).get("shows", {})
    remarks = [remark for run in result.notebooks if run.name == path.stem for remark in run.remarks]
    assert any("was switched off by parameters" in remark for remark in remarks) == bool(shows)


@pytest.mark.parametrize("stack", ["2023-11"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_defaults_hold_on_every_stack(path: Path, stack: str, tmp_path: Path) -> None:
    """With its defaults a notebook ends green on the stack of the report, too; the longest with a part of it."""
    values = parameters(path) if path == LONGEST else {}
    result = investigate([*companions(path), path], values, stack=stack, jobs=1, out=tmp_path, solved=True)
    assert result.exit_code == 0, result.reason


def test_every_notebook_whose_failure_can_be_switched_off_says_what_it_shows() -> None:
    """What a notebook has to show is there to be shown: by its defaults, with claims that it makes."""
    for path in NOTEBOOKS:
        notebook = read(path)
        shows = notebook.metadata.get("kit", {}).get("shows", {})
        defaults = {name: one.default for name, one in declared(notebook).items()}
        assert set(shows.get("claims", ())) <= set(claims(notebook))
        assert {name: repr(value) for name, value in shows.get("on", {}).items()}.items() <= defaults.items()
        assert bool(shows) == bool({"global_engine", "ci_variable"} & set(defaults) or path.stem == "02_the_attempts")


def test_every_notebook_has_other_parameters() -> None:
    """A notebook that is run with its defaults alone is one of those that are known."""
    assert {path.stem for path in NOTEBOOKS} - {path.stem for path in OTHERS} == WITHOUT
