"""The files for containers, Binder and CI name only what is there, and fit the schemas of their services."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import check_jsonschema
import nbformat
import pytest
import yaml
from click.testing import CliRunner

ROOT = Path(__file__).parents[1]
CHECKS = ROOT / ".github" / "workflows" / "checks.yml"
RECIPES = ROOT / "docs" / "recipes"
SCHEMAS = {
    CHECKS: "vendor.github-workflows",
    RECIPES / "github-actions.yml": "vendor.github-workflows",
    RECIPES / "gitlab-ci.yml": "vendor.gitlab-ci",
}


def targets() -> set[str]:
    return {*re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE), ".venv/.installed"}


def unknown_targets(command: str) -> list[str]:
    """Return what a command asks make for that the Makefile does not have."""
    words = shlex.split(command)
    if words[0] != "make":
        return [command]
    return [word for word in words[1:] if "=" not in word and word not in targets()]


def fits(path: Path, schema: str) -> bool:
    return CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", schema, str(path)]).exit_code == 0


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_a_workflow_fits_its_services_schema(path: Path, tmp_path: Path) -> None:
    """GitHub's or GitLab's own schema accepts each file, and refuses it with a key misspelt."""
    assert fits(path, SCHEMAS[path])
    key = "runs-on" if "github" in SCHEMAS[path] else "artifacts"
    (tmp_path / path.name).write_text(path.read_text().replace(f"{key}:", f"{key}s:"))
    assert not fits(tmp_path / path.name, SCHEMAS[path])


def test_the_checks_of_the_project_call_what_the_makefile_has() -> None:
    """Each command of the project's own workflow is a target of make, and a target that goes is found."""
    jobs: dict[str, Any] = yaml.safe_load(CHECKS.read_text())["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert len(commands) == 3
    assert [unknown_targets(command) for command in commands] == [[], [], []]
    assert unknown_targets("make everything PYTHON=python") == ["everything"]


def test_the_checks_run_on_pythons_that_are_supported() -> None:
    """The matrix has versions that the package names, and the probes are tested on older ones and newer ones, too."""
    jobs = yaml.safe_load(CHECKS.read_text())["jobs"]
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert set(jobs["kit"]["strategy"]["matrix"]["python"]) <= set(classifiers)
    (probed,) = [step["with"]["python-version"].split() for step in jobs["probes"]["steps"] if "with" in step
                 and "python-version" in step["with"]]
    assert {"3.9", "3.14"} <= set(probed)
    assert probed[-1] in classifiers


def test_the_container_is_set_up_by_what_is_there() -> None:
    """The container's file, user and command exist; Postgres starts only as an ordinary user."""
    folder = ROOT / ".devcontainer"
    given = json.loads((folder / "devcontainer.json").read_text())
    built = (folder / given["build"]["dockerfile"]).read_text()
    assert unknown_targets(given["postCreateCommand"]) == []
    assert re.search(rf"^USER {given['remoteUser']}$", built, flags=re.MULTILINE)
    assert given["remoteUser"] != "root"


def test_binder_installs_the_lock_and_the_kit() -> None:
    """Binder's requirements lead to the lock, its Python is a supported one, and what it runs at last can be run."""
    folder = ROOT / ".binder"
    (lock,) = re.findall(r"^-r (.+)$", (folder / "requirements.txt").read_text(), flags=re.MULTILINE)
    assert (folder / lock).resolve() == ROOT / "requirements.lock"
    version = (folder / "runtime.txt").read_text().strip().removeprefix("python-")
    assert f"Python :: {version}\"" in (ROOT / "pyproject.toml").read_text()
    assert os.access(folder / "postBuild", os.X_OK)
    assert subprocess.run(["sh", "-n", folder / "postBuild"]).returncode == 0


def test_the_hook_takes_outputs_out_and_keeps_ids(tmp_path: Path) -> None:
    """The hook of the recipe leaves a notebook without outputs and with the ids of its cells."""
    (hook,) = yaml.safe_load((RECIPES / "pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    cell = nbformat.v4.new_code_cell("1", id="sites-seen", execution_count=3)
    cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "1"}, execution_count=3)]
    path = tmp_path / "run.ipynb"

    def after(entry: list[str]) -> Any:
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
        subprocess.run([Path(sys.executable).with_name(entry[0]), *entry[1:], path], check=True)
        return nbformat.read(path, as_version=4).cells[0]

    stripped = after(shlex.split(hook["entry"]))
    assert (stripped.id, stripped.outputs, stripped.execution_count) == ("sites-seen", [], None)
    without = [word for word in shlex.split(hook["entry"]) if word != "--keep-id"]
    assert after(without).id != "sites-seen"


def test_the_hook_is_the_version_that_was_tried() -> None:
    """The version that the recipe names is the one in the lock, with which the test above ran."""
    (hook,) = yaml.safe_load((RECIPES / "pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert f"{hook['additional_dependencies'][0]} " in (ROOT / "requirements.lock").read_text()
