"""The application's modules are found among thousands of others, whenever they come and whatever they replace."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from kit.probes import loaded, objects

NAME = "a_module_of_this_test"


@pytest.fixture(autouse=True)
def _without_the_module() -> Iterator[None]:
    yield
    sys.modules.pop(NAME, None)


def module_in(folder: Path) -> ModuleType:
    """A module whose file is in this folder, not executed."""
    (folder / f"{NAME}.py").write_text("")
    spec = importlib.util.spec_from_file_location(NAME, folder / f"{NAME}.py")
    assert spec is not None
    return importlib.util.module_from_spec(spec)


def found() -> ModuleType | None:
    """The module of this test, if it is one of the application's."""
    return dict(loaded.application_modules()).get(NAME)


def test_a_module_of_the_application_is_found_when_it_comes(tmp_path: Path) -> None:
    """It is not there, then it is, and no longer once it was removed; libraries and Python's own never are."""
    assert found() is None
    sys.modules[NAME] = module_in(tmp_path)
    assert found() is sys.modules[NAME]
    assert not {"pytest", "os", "kit.probes"} & {name for name, _ in loaded.application_modules()}
    del sys.modules[NAME]
    assert found() is None


def test_a_module_in_the_place_of_a_librarys_is_judged_anew(tmp_path: Path) -> None:
    """Under a name that was a library's, the application's module is found, as tests put their own in its place."""
    for _ in range(100):  # now and then a new module gets the address of the one before
        sys.modules[NAME] = ModuleType(NAME)
        sys.modules[NAME].__file__ = pytest.__file__
        assert found() is None
        del sys.modules[NAME]
        sys.modules[NAME] = module_in(tmp_path)
        assert found() is sys.modules[NAME]


def test_a_module_that_has_no_file_yet_is_asked_again(tmp_path: Path) -> None:
    """A module that gets its file after it is there is found then."""
    sys.modules[NAME] = ModuleType(NAME)
    assert found() is None
    sys.modules[NAME].__file__ = str(tmp_path / "late.py")
    assert found() is sys.modules[NAME]


def test_what_is_no_module_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """None, and objects that answer to every attribute, may be in `sys.modules`."""
    for thing in (None, object()):
        monkeypatch.setitem(sys.modules, NAME, thing)  # type: ignore[arg-type]
        assert found() is None


def test_a_library_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second search asks no library's module for its file."""
    loaded.application_modules()
    asked = []
    monkeypatch.setattr(loaded, "held_by", lambda module: asked.append(module) or objects.held_by(module))
    loaded.application_modules()
    assert not [one for one in asked if objects.held_by(one).get("__file__") == pytest.__file__]


def test_a_module_that_comes_as_another_goes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many modules as before need not be the same ones: what came last tells, by its name and by itself."""
    monkeypatch.setitem(sys.modules, "an_old_module_of_this_test", ModuleType("old"))
    seen = [loaded.newest_module()]
    assert loaded.newest_module() == seen[0]
    del sys.modules["an_old_module_of_this_test"]
    for module in (ModuleType("new"), ModuleType("newer")):
        sys.modules[NAME] = module
        seen.append(loaded.newest_module())
    assert len({len(sys.modules), *(one[0] for one in seen)}) == 1
    assert len(set(seen)) == 3


def test_a_key_of_the_programs_own_type_is_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing keeps a program from such a key in `sys.modules`; its methods are not called."""
    called: list[str] = []

    class Key:
        def __hash__(self) -> int:
            called.append("hash")
            return 1

        def __eq__(self, other: object) -> bool:
            called.append("eq")
            return True

    keys = Key(), Key()
    seen = []
    for key in keys:
        monkeypatch.setattr(loaded, "sys", SimpleNamespace(modules={key: ModuleType("odd")}))
        called.clear()
        seen.append(loaded.newest_module())
    assert seen[0] != seen[1]
    assert called == []
