"""The specimen is a project of its own, which fits the pair and what its README says."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from kit.specimens.attempts import SPECIMEN

PYTHON_FILES = sorted(path for path in SPECIMEN.rglob("*.py") if "__pycache__" not in path.parts)
README = (SPECIMEN / "README.md").read_text()


def tops(path: Path) -> set[str]:
    """Return the top-level names of what a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def columns(sql: str) -> dict[str, str]:
    """Return the columns of the table sites in a text of SQL, each with its definition."""
    statement = re.search(r"create table (?:if not exists )?sites \((.*?)\n\s*\);", sql, re.DOTALL)
    assert statement is not None
    definitions = [re.sub(r"\s+", " ", part).strip() for part in re.split(r",(?![^(]*\))", statement[1])]
    return {name: definition for name, definition in (text.split(" ", 1) for text in definitions)}


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda path: str(path.relative_to(SPECIMEN)))
def test_the_specimen_needs_nothing_of_the_kit(path: Path) -> None:
    """Every import is of the project itself, the standard library or what its README installs."""
    installed = {"asyncpg", "fastapi", "httpx", "pydantic", "pytest", "pytest_asyncio", "sqlalchemy"}
    assert tops(path) <= sys.stdlib_module_names | installed | {"app"}


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({"PRODUCTION_DATABASE_URL": "p"}, "p"),
        ({"PRODUCTION_DATABASE_URL": "p", "DATABASE_URL": "d"}, "d"),
        ({"PRODUCTION_DATABASE_URL": "p", "DATABASE_URL": "d", "INTEGRATION_DATABASE_URL": "i"}, "i"),
        ({"DATABASE_URL": "d", "INTEGRATION_DATABASE_URL": ""}, "d"),
    ],
)
def test_the_integration_variable_wins(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], used: str) -> None:
    """The application's database is the integration variable's, else DATABASE_URL's, else production."""
    for name in ("PRODUCTION_DATABASE_URL", "DATABASE_URL", "INTEGRATION_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert runpy.run_path(str(SPECIMEN / "app/settings.py"))["database_url"]() == used


def test_the_readme_makes_the_table_that_the_pair_has() -> None:
    """The table in the README is the pair's, column by column."""
    pair = (SPECIMEN.parents[1] / "pair/sql/sites.sql").read_text()
    assert columns(README) == columns(pair)


def test_the_model_is_the_table_that_the_pair_has() -> None:
    """The model has the columns of the pair's table, so that nothing depends on who made it."""
    script = "from app.models import Site; print(*Site.__table__.columns.keys())"
    environ = {**os.environ, "DATABASE_URL": "postgresql+asyncpg://127.0.0.1:1/nothing", "PYTHONDONTWRITEBYTECODE": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=SPECIMEN, env=environ, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == list(columns((SPECIMEN.parents[1] / "pair/sql/sites.sql").read_text()))


def test_the_script_runs_what_it_is_told_with_the_variable_set(tmp_path: Path) -> None:
    """The CI script hands its arguments to pytest, `tests` without any, and exports production as the variable."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$INTEGRATION_DATABASE_URL $PWD $*"\n')
    python.chmod(0o755)
    environ = {**os.environ, "PYTHON": str(python), "PRODUCTION_DATABASE_URL": "production"}
    for arguments, told in ((["tests/one.py", "-q"], "tests/one.py -q"), ([], "tests")):
        answer = subprocess.run(
            [SPECIMEN / "ci/run_tests.sh", *arguments],
            cwd=tmp_path, env=environ, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert answer.stdout.split(maxsplit=2) == ["production", str(SPECIMEN), f"-m pytest {told}\n"]
