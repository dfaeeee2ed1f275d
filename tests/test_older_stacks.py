"""Tests of an older stack run where a Python has wheels for it, and are left out, with the reason, where none has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.trials.stacks import LOCKED
from tests import older_stacks

ROOT = Path(__file__).parents[1]
FILE = "tests/live/test_runner.py"
AS_IF_NEW = """
def pytest_configure():
    from kit.trials.stacks import environment
    environment.FITTING = ("3.99",)
    environment.usable_uv = lambda: None
"""


def collected(*options: str, path: Path = ROOT) -> tuple[set[str], str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist", FILE, *options]
    environ = {**os.environ, "PYTHONPATH": str(path)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    return {line for line in done.stdout.splitlines() if "::" in line}, done.stdout


def test_they_run_where_a_python_fits() -> None:
    """Nothing is left out on a machine that has one of the Pythons, and nothing is said."""
    tests, said = collected()
    assert (f"{FILE}::test_each_stack_forks[2023-11]" in tests) is (older_stacks.why_missing() is None)
    assert ("left out" in said) is (older_stacks.why_missing() is not None)


def test_they_are_left_out_where_none_fits_and_the_run_says_why(tmp_path: Path) -> None:
    """Only they are, and the sentence names the Python to install."""
    (tmp_path / "as_if_new.py").write_text(AS_IF_NEW)
    tests, said = collected("-p", "as_if_new", path=tmp_path)
    assert f"{FILE}::test_each_stack_forks[current]" in tests
    assert not [test for test in tests if older_stacks.needs_one(test)]
    assert "The tests that run an older stack were left out. Found no Python" in said
    assert "install one, so that python3.99 is on PATH" in said


@pytest.mark.parametrize("stack", sorted(LOCKED))
def test_a_test_of_each_locked_stack_is_known(stack: str) -> None:
    """Whatever stacks there are, a test with one in its id is recognised."""
    assert older_stacks.needs_one(f"tests/live/test_it.py::test_it[{stack}]")
    assert not older_stacks.needs_one("tests/live/test_it.py::test_it[current]")
