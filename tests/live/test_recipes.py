"""The commands of the CI recipes are run as they stand there, on the project under study and a live pair of servers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

from kit.pair import Pair

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs" / "recipes"
NOTEBOOK = "from kit.notebooks.cells import claim\nclaim('two', 'It is two.', expected=2, observed={observed})"
VALUES = ("KIT", "ALLOWED")


def commands(name: str) -> dict[str, str]:
    """The commands of a recipe that are the kit's or pytest's, each under what it begins with."""
    whole: Mapping[str, Any] = yaml.safe_load((RECIPES / name).read_text())
    if "jobs" in whole:
        found = [step["run"] for job in whole["jobs"].values() for step in job["steps"] if "run" in step]
    else:
        found = [line for job in whole.values() if isinstance(job, dict) for line in job.get("script", ())]
    return {" ".join(line.split()[:2]): line for line in found if not line.startswith("pip install")}


def files(name: str) -> set[str]:
    """The patterns of files that a recipe keeps."""
    text = (RECIPES / name).read_text()
    return set(re.findall(r"(?:path|paths|junit): (.+)$", text, flags=re.MULTILINE))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project under study with a notebook of its own."""
    hidden = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    shutil.copytree(ROOT / "kit" / "specimens" / "project", tmp_path / "project", ignore=hidden)
    return tmp_path / "project"


def codes(recipe: str, project: Path, pair: Pair, leaky: bool) -> dict[str, int]:
    """Run each command in a shell, and return the exit codes; leaky: the tests are led to production."""
    (project / "notebooks").mkdir()
    cells = [nbformat.v4.new_code_cell(NOTEBOOK.format(observed=3 if leaky else 2), id="two")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), project / "notebooks" / "two.ipynb")
    environ = {
        **os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "KIT": "not installed here",
        "PYTHONPATH": str(ROOT), "ALLOWED": f"{pair.test.host}:{pair.test.port}/{pair.test.database}",
        "PRODUCTION_DATABASE_URL": pair.production.url("asyncpg"), "TEST_DATABASE_URL": pair.test.url("asyncpg"),
    }
    if leaky:
        environ["INTEGRATION_DATABASE_URL"] = pair.production.url("asyncpg")
    ended = {}
    for name, line in commands(recipe).items():
        done = subprocess.run(["bash", "-c", line], cwd=project, env=environ, capture_output=True, text=True)
        print(name, done.returncode, done.stdout, done.stderr)
        ended[name] = done.returncode
    return ended


@pytest.mark.parametrize("recipe", ["github-actions.yml", "gitlab-ci.yml"])
def test_a_sound_project_passes(recipe: str, project: Path, pair: Pair) -> None:
    """Each command of a recipe succeeds where the tests reach their own database, and leaves the files to keep."""
    ended = codes(recipe, project, pair, leaky=False)
    assert ended == dict.fromkeys(["kit trace", "kit diagnose", "python -m", "kit investigate"], 0)
    for pattern in files(recipe):
        for one in pattern.strip("[]").split(", "):
            assert list(project.glob(one.strip('"'))), one


@pytest.mark.parametrize("recipe", ["github-actions.yml", "gitlab-ci.yml"])
def test_a_project_that_reaches_production_fails(recipe: str, project: Path, pair: Pair) -> None:
    """Each command of a recipe fails where a variable leads the tests to production, and where a claim falls."""
    ended = codes(recipe, project, pair, leaky=True)
    assert all(code == 1 for code in ended.values()), ended


def test_the_values_that_are_the_readers_are_named() -> None:
    """The page names the variables that a recipe sets for its reader to change, and no recipe has others."""
    page = (ROOT / "docs" / "in-ci.md").read_text()
    for recipe in ("github-actions.yml", "gitlab-ci.yml"):
        whole = yaml.safe_load((RECIPES / recipe).read_text())
        given = whole.get("env") or whole["variables"]
        assert [name for name in given if not name.startswith("POSTGRES_")] == list(VALUES)
    assert all(f"`{name}`" in page for name in VALUES)
