"""Every mechanism is a small change of the clean specimen, alone and with any others."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from kit.errors import TrialError
from kit.specimens.attempts import ATTEMPTS, REPORTED_ATTEMPT, SPECIMEN
from kit.specimens.build import project, write_project
from kit.specimens.edits import change_of, read
from kit.specimens.mechanisms import MECHANISMS, REPORTED_MECHANISMS, clean_specimen

SETS: list[tuple[str, ...]] = [
    (),
    *((name,) for name in MECHANISMS),
    *combinations(MECHANISMS, 2),
    tuple(MECHANISMS),
]

# Collects each project of the list in a child of its own, which has imported no application.
COLLECT_EACH = """
import gc, json, os, sys
import asyncpg, fastapi, httpx, pytest, pytest_asyncio, sqlalchemy.ext.asyncio

gc.freeze()
PLUGINS = ["-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "pytest_fastapi_deps"]
# A plugin that the parent has imported cannot be rewritten, and pytest says so.
WARNINGS = ["-W", sys.argv[1], "-W", "ignore::pytest.PytestAssertRewriteWarning"]
answers = {}
for directory in sys.argv[2:]:
    child = os.fork()
    if child == 0:
        os.chdir(directory)
        sys.path.insert(0, directory)
        os._exit(pytest.main(["--collect-only", "-qq", *PLUGINS, *WARNINGS, "tests"]))
    answers[directory] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(answers))
"""


def collected(directories: list[Path], *, warnings: str = "error") -> dict[Path, int]:
    """Return pytest's exit code for the collection of each project; no server is there to be reached.

    `warnings` says what becomes of one, as Python's option -W does.
    """
    nowhere = "postgresql+asyncpg://nobody:nothing@127.0.0.1:1/nothing"
    environ = {**os.environ, "TEST_DATABASE_URL": nowhere, "PRODUCTION_DATABASE_URL": nowhere}
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the kit's own plugins would take most of the time
    command = [sys.executable, "-c", COLLECT_EACH, warnings, *map(str, directories)]
    answer = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return {Path(name): code for name, code in json.loads(answer.stdout.splitlines()[-1]).items()}


def test_the_specimen_in_the_kit_is_the_reported_project() -> None:
    """The files in the kit are, to the letter, the clean specimen with what the report had."""
    assert project(REPORTED_MECHANISMS, REPORTED_ATTEMPT) == read(SPECIMEN)


def test_the_clean_specimen_has_nothing_of_the_report_in_it() -> None:
    """Clean, the script exports nothing, the routes hand the session on, and no override is set."""
    clean = clean_specimen()
    assert "export" not in clean["ci/run_tests.sh"]
    assert "crud.list_sites(db)" in clean["app/routers/sites.py"]
    assert "dependency_overrides" not in clean["tests/conftest.py"]


def test_there_is_a_mechanism_for_each_thing_suspected() -> None:
    """The two causes, what the five theories blame and the rival are there, under the names that trials use."""
    assert list(MECHANISMS) == [
        "global_engine", "ci_variable", "warm_pool", "second_app", "sqlalchemy_global_state", "early_import",
        "startup_work", "lifespan_engine", "background_work", "suite_variable",
    ]  # fmt: skip
    assert all(name == mechanism.name for name, mechanism in MECHANISMS.items())
    theories = {mechanism.reported_at[:8] for mechanism in MECHANISMS.values() if "Theory" in mechanism.reported_at}
    assert theories == {f"Theory {number}" for number in range(1, 6)}


@pytest.mark.parametrize("name", MECHANISMS)
def test_a_mechanism_is_a_small_change(name: str) -> None:
    """A mechanism adds and takes away thirty lines or fewer of the clean specimen, and its diff shows them all."""
    shown = MECHANISMS[name].diff()
    changed = [line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert 0 < len(changed) <= 30
    added = [line for edit in MECHANISMS[name].edits for line in edit.changed.splitlines() if line not in edit.clean]
    assert [line for line in added if not any(line in change for change in changed)] == []


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_mechanisms_go_together(attempt: str) -> None:
    """Each mechanism, each pair and all together, with each attempt, keep every edit and stay valid Python."""
    for names in SETS:
        files = project(names, attempt)
        edits = [edit for name in names for edit in MECHANISMS[name].edits] + list(ATTEMPTS[attempt].edits)
        clean = clean_specimen()
        assert [e for e in edits if change_of(e, clean[e.path]).new not in files[e.path]] == [], names
        for path, text in files.items():
            if path.endswith(".py"):
                ast.parse(text, path)


def test_every_combination_collects(tmp_path: Path) -> None:
    """Pytest collects, without a warning, each mechanism, each pair of them, and all of them with each attempt."""
    made = [*((names, REPORTED_ATTEMPT) for names in SETS), *((tuple(MECHANISMS), attempt) for attempt in ATTEMPTS)]
    directories = [tmp_path / str(number) for number in range(len(made))]
    for directory, (names, attempt) in zip(directories, made, strict=True):
        write_project(directory, names, attempt)
    codes = collected(directories)
    assert [built for built, directory in zip(made, directories, strict=True) if codes[directory] != 0] == []


def test_a_project_that_does_not_import_is_seen(tmp_path: Path) -> None:
    """The collection of a project whose application cannot be imported fails."""
    write_project(tmp_path / "broken", (), "none")
    (tmp_path / "broken/app/database.py").write_text("import nothing_of_that_name\n")
    assert collected([tmp_path / "broken"]) != {tmp_path / "broken": 0}


@pytest.mark.parametrize(
    ("mechanisms", "attempt", "message"),
    [
        (("global_engin",), "none", "no mechanism 'global_engin'.*global_engine, ci_variable"),
        ((), "nothing", "no attempt 'nothing'.*none, dependency_override"),
    ],
)
def test_an_unknown_name_is_refused(tmp_path: Path, mechanisms: tuple[str, ...], attempt: str, message: str) -> None:
    """A name that is not known is refused with the list of those that are, before anything is written."""
    with pytest.raises(TrialError, match=message):
        write_project(tmp_path / "project", mechanisms, attempt)
    assert not (tmp_path / "project").exists()
