"""The projects beside this file are run by their own commands, never collected with the kit's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kit.pair import Pair
from kit.pair.slots import open_slots
from tests.cases.cases import CASES, Case, Prepared

collect_ignore = [str(case.source) for case in CASES]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect projects on stacks on which they are not run."""
    left_out = [item for item in items if _is_left_out(getattr(item, "callspec", None))]
    if left_out:
        items[:] = [item for item in items if item not in set(left_out)]
        config.hook.pytest_deselected(items=left_out)


def _is_left_out(given: Any) -> bool:
    case = given.params.get("case") if given is not None else None
    stack = given.params.get("python", given.params.get("stack_name")) if isinstance(case, Case) else None
    return stack is not None and stack not in case.stacks


@pytest.fixture
def prepare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[Case], Prepared]]:
    """Prepare a project, with databases of its own on the run's pair if it needs them."""
    with ExitStack() as closing:

        def ready(case: Case) -> Prepared:
            own: Pair | None = None
            if case.needs_pair:
                (own,) = closing.enter_context(open_slots(request.getfixturevalue("pair"), 1))
            workspace = tmp_path / case.name
            workspace.mkdir()
            return case.prepare(workspace, own)

        yield ready
