"""Notebooks take the longest of all tests: each worker begins with its share, and what is short fills the gaps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kit.pair import Pair, open_pair
from kit.trials import run_folder
from tests.notebooks.sources import LONGEST, ROOT, mutations

FOLDER = "tests/notebooks/"


@pytest.fixture
def own_pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """A pair that the test's notebooks find: some write to production itself, which other tests look at."""
    with open_pair("embedded") as pair:
        for name, value in pair.environ().items():
            monkeypatch.setenv(name, value)
        yield pair


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all these tests keep the evidence of trials, whatever their worker; that of runs/latest is there already.

    Evidence is kept under a name made of all that it depends on (kit.trials.cache), so that what another code, project
    or version has left there is not taken. With KIT_FRESH=1 nothing is.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / run_folder.EVIDENCE
    folder.mkdir(exist_ok=True)
    for kept in (ROOT / run_folder.RUNS / run_folder.LATEST / run_folder.EVIDENCE).resolve().glob("*.json"):
        with suppress(FileExistsError):  # another worker was there first
            (folder / kept.name).symlink_to(kept)
    return folder


@pytest.fixture
def shared_trials(monkeypatch: pytest.MonkeyPatch, shelf: Path) -> None:
    """A trial that several notebooks ask for is run once in all these tests, as it is in a run of all notebooks."""
    monkeypatch.setattr(run_folder, "EVIDENCE", str(shelf))  # an absolute path, so in no run's folder


@pytest.hookimpl(trylast=True)  # when those that are not to run have been taken out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the tests of this folder out to the workers, the longest first, each at the head of a worker's part."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    short, own = [], []
    for item in items:
        (own if item.nodeid.startswith(FOLDER) else short).append(item)
    long = sorted(own, key=length, reverse=True)
    dealt = []
    for number, size in enumerate(part_sizes(len(items), workers)):
        mine = long[number::workers]
        fill = max(size - len(mine), 0)
        dealt += [*mine, *short[:fill]]
        del short[:fill]
    items[:] = [*dealt, *short]


def length(item: pytest.Item) -> tuple[int, int]:
    """What a test takes: most of all a run of all notebooks, then that of the longest, then by claims."""
    given = item.callspec.params if hasattr(item, "callspec") else {}
    if "values" in given:
        return 2, 0
    path = given.get("path")
    return (int(path == LONGEST), len(mutations(path))) if path is not None else (0, 0)


def part_sizes(count: int, workers: int) -> list[int]:
    """How many tests pytest-xdist gives each worker to begin with: equal runs of the list, one after the other."""
    sizes: list[int] = []
    for number in range(workers):
        sizes.append((count - sum(sizes)) // (workers - number))
    return sizes
