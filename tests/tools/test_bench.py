"""`make bench`: the commands that it compares run, and the guarded one is guarded."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """The module with the suites of many tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        yield importlib.import_module("bench_trace")


@pytest.fixture(scope="module")
def suite(bench: Any) -> Iterator[Any]:
    """Two tests that share one engine."""
    with bench.suite_of(2, one_engine=True) as one:
        yield one


@pytest.mark.parametrize("name", ["PYTEST", "WITHOUT", "TRACED"])
def test_each_compared_command_runs_the_suite(bench: Any, suite: Any, name: str) -> None:
    """Plain, without the guard's plugin, and traced: the same tests pass."""
    assert "2 passed" in suite.run(getattr(bench, name))


def test_the_guarded_command_is_judged_by_its_list(suite: Any) -> None:
    """With the suite's own database on the list it passes, and with another one it is refused."""
    assert "2 passed" in suite.run(suite.guarded)
    elsewhere = [one.replace(suite.slot.test.database, "another") for one in suite.guarded]
    with pytest.raises(SystemExit, match="not on the allow-list"):
        suite.run(elsewhere)
