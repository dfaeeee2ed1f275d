"""Notebook tests take longest: each worker starts with its share of them, and short tests fill the gaps."""

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
    """A pair of the test's own, because some notebooks write to production, which other tests read."""
    with open_pair("embedded") as pair:
        for name, value in pair.environ().items():
            monkeypatch.setenv(name, value)
        yield pair


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shelf on which all these tests share evidence, across workers; that of runs/latest is linked into it.

    Evidence is stored under a digest of everything that it depends on (kit.trials.cache), so evidence of other code,
    projects or versions is never used. With KIT_FRESH=1 none is.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / run_folder.EVIDENCE
    folder.mkdir(exist_ok=True)
    for kept in (ROOT / run_folder.RUNS / run_folder.LATEST / run_folder.EVIDENCE).resolve().glob("*.json"):
        with suppress(FileExistsError):  # another worker has linked it
            (folder / kept.name).symlink_to(kept)
    return folder


@pytest.fixture
def shared_trials(monkeypatch: pytest.MonkeyPatch, shelf: Path) -> None:
    """Run a trial that several notebooks need only once in all these tests, as a run of all notebooks does."""
    monkeypatch.setattr(run_folder, "EVIDENCE", str(shelf))  # an absolute path, so not in any run's folder


@pytest.hookimpl(trylast=True)  # after deselection
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Distribute the tests of this folder over the workers, longest first, each at the start of a worker's part."""
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
    """A sort key for a test's duration: a run of all notebooks, then of the longest one, then by number of claims."""
    given = item.callspec.params if hasattr(item, "callspec") else {}
    if "values" in given:
        return 2, 0
    path = given.get("path")
    return (int(path == LONGEST), len(mutations(path))) if path is not None else (0, 0)


def part_sizes(count: int, workers: int) -> list[int]:
    """The number of tests that pytest-xdist first assigns to each worker: equal consecutive parts of the list."""
    sizes: list[int] = []
    for number in range(workers):
        sizes.append((count - sum(sizes)) // (workers - number))
    return sizes
