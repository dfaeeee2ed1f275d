"""Notebooks take the longest of all tests: each worker begins with its share, and what is short fills the gaps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit import store
from kit.pair import Pair, open_pair
from tests.notebooks.sources import mutations, parameters

FOLDER = Path(__file__).parent


@pytest.fixture
def own_pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """A pair that the test's notebooks find: some write to production itself, which other tests look at."""
    with open_pair("embedded") as pair:
        for name, value in pair.environ().items():
            monkeypatch.setenv(name, value)
        yield pair


@pytest.fixture
def shared_trials(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A trial that several notebooks ask for is run once in all these tests, as it is in a run of all notebooks."""
    own = tmp_path_factory.getbasetemp()
    everybodys = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    monkeypatch.setattr(store, "EVIDENCE", str(everybodys / store.EVIDENCE))  # an absolute path, so in no run's folder


@pytest.hookimpl(trylast=True)  # when those that are not to run have been taken out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the tests of this folder out to the workers, the longest first, each at the head of a worker's part."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = sorted((item for item in items if FOLDER in item.path.parents), key=length, reverse=True)
    short = [item for item in items if FOLDER not in item.path.parents]
    dealt = []
    for number, size in enumerate(part_sizes(len(items), workers)):
        mine = long[number::workers]
        fill = max(size - len(mine), 0)
        dealt += [*mine, *short[:fill]]
        del short[:fill]
    items[:] = [*dealt, *short]


def length(item: pytest.Item) -> tuple[bool, int]:
    """What a test takes: most of all the notebook whose mutations have parameters of their own, then by claims."""
    path = getattr(item, "callspec", None) and item.callspec.params.get("path")  # type: ignore[attr-defined]
    return (bool(parameters(path)), len(mutations(path))) if path is not None else (False, 0)


def part_sizes(count: int, workers: int) -> list[int]:
    """How many tests pytest-xdist gives each worker to begin with: equal runs of the list, one after the other."""
    sizes: list[int] = []
    for number in range(workers):
        sizes.append((count - sum(sizes)) // (workers - number))
    return sizes
