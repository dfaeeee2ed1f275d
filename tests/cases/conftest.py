"""The projects beside this file are run by their own command, never collected with the kit's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.pair import Pair
from kit.pair.slots import open_slots
from tests.cases.cases import CASES, Case, Prepared

collect_ignore = [str(case.source) for case in CASES]


@pytest.fixture
def prepare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[Case], Prepared]]:
    """Make a project ready, with databases of its own on the run's pair where it needs them."""
    with ExitStack() as closing:

        def ready(case: Case) -> Prepared:
            own: Pair | None = None
            if case.needs_pair:
                (own,) = closing.enter_context(open_slots(request.getfixturevalue("pair"), 1))
            workspace = tmp_path / case.name
            workspace.mkdir()
            return case.prepare(workspace, own)

        yield ready
