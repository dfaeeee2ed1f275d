from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.probes.hooks import Hooks
from kit.probes.state.imports import Imports
from kit.probes.state.snapshot import Snapshot

OUTER = """
NAMES = []
import kit_state_inner
kit_state_inner.NAMES.append("outer")
NAMES.append("outer")
"""


@pytest.fixture
def hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    (tmp_path / "kit_state_outer.py").write_text(OUTER)
    (tmp_path / "kit_state_inner.py").write_text("NAMES = []\n")
    (tmp_path / "kit_state_broken.py").write_text("import kit_state_inner\n1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    hooks = Hooks()
    yield hooks
    hooks.remove()
    for name in ("kit_state_outer", "kit_state_inner", "kit_state_broken"):
        sys.modules.pop(name, None)


def test_a_module_is_taken_in_as_it_is_once_it_is_imported_whole(hooks: Hooks) -> None:
    """What an import leaves, also in what it imports itself, is the beginning; what is changed later on differs."""
    snapshot = Snapshot({})
    snapshot._all = sys.modules
    Imports(snapshot.add_modules).install(hooks)
    outer = importlib.import_module("kit_state_outer")
    inner = sys.modules["kit_state_inner"]
    found = [one.place for one in snapshot.differences() if one.holder.name.startswith("kit_state")]
    assert found == []
    outer.NAMES.append("test")
    inner.NAMES.append("test")
    found = [one.place for one in snapshot.differences() if one.holder.name.startswith("kit_state")]
    assert sorted(found) == ["kit_state_inner.NAMES", "kit_state_outer.NAMES"]


def test_an_import_that_fails_does_not_end_it(hooks: Hooks) -> None:
    """The next import is heard of all the same."""
    heard: list[bool] = []
    Imports(lambda: heard.append("kit_state_inner" in sys.modules)).install(hooks)
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("kit_state_broken")
    assert heard == [True]
    importlib.import_module("kit_state_outer")
    assert heard == [True, True]
