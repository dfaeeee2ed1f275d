from __future__ import annotations

import importlib
import importlib.util
import inspect
import io
import pickle
import sys
import threading
import traceback
import typing
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from kit import probes
from kit.probes.hooks import Hooks, out_of_traceback, with_arguments_of


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    """Hooks that are taken out at the end."""
    hooks = Hooks()
    yield hooks
    hooks.remove()


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module that can be imported and has not been yet."""
    name = "a_library_under_test"
    (tmp_path / f"{name}.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    sys.modules.pop(name, None)


class Base:
    def plain(self, first: int, *, second: str = "x") -> str:
        """Says what it was given."""
        return f"{first}{second}"

    @classmethod
    def made(cls) -> str:
        return cls.__name__


class Derived(Base):
    pass


def louder(original: Any) -> Any:
    def replacement(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs).upper()

    return replacement


def test_removal_puts_back_what_was_there(hooks: Hooks) -> None:
    """After removal, a class's own, inherited and class methods are the very objects that they were."""
    before = dict(vars(Base)), dict(vars(Derived))
    hooks.replace(Base, "plain", louder)
    hooks.replace(Derived, "plain", louder)
    hooks.replace(Base, "made", louder)
    assert Derived().plain(1) == "1X"
    assert Base.made() == "BASE"
    assert Derived.made() == "DERIVED"

    hooks.remove()

    assert (dict(vars(Base)), dict(vars(Derived))) == before
    assert Derived().plain(1) == "1x"


def test_a_replacement_looks_like_the_original(hooks: Hooks) -> None:
    """Name, text and signature of a replaced function are the original's, for libraries read them."""
    original = Base.plain
    hooks.replace(Base, "plain", louder)
    assert Base.plain is not original
    assert (Base.plain.__name__, Base.plain.__qualname__) == ("plain", "Base.plain")
    assert Base.plain.__doc__ == original.__doc__
    assert inspect.signature(Base.plain) == inspect.signature(original)


def test_a_replacement_can_name_the_same_arguments() -> None:
    """A library that reads a function's arguments from its code finds the original's, with their defaults."""

    def original(self: object, pool: str, echo: bool = False, *rest: int, loud: str = "no", **options: int) -> None:
        """Stands for a library's."""

    seen: list[object] = []

    def replacement(*args: object, **kwargs: object) -> None:
        seen.append((args, kwargs))

    made = with_arguments_of(original, replacement)
    count = original.__code__.co_argcount
    assert made.__code__.co_varnames[:count] == original.__code__.co_varnames[:count]
    assert made.__code__.co_flags & 0xC == original.__code__.co_flags & 0xC  # *rest and **options
    made("it", "a pool")
    made("it", "a pool", True, 1, loud="yes", more=2)
    assert seen == [
        (("it", "a pool", False), {"loud": "no"}), (("it", "a pool", True, 1), {"loud": "yes", "more": 2}),
    ]  # fmt: skip


def test_annotations_are_not_evaluated() -> None:
    """A function whose annotations name what is there for type checkers only can be stood in for."""
    namespace: dict[str, Any] = {}
    later = "from __future__ import annotations\n" if sys.version_info < (3, 14) else ""  # since then it is always so
    text = f"{later}def original(self, pool: Pool, *, loud: Loud = 'no') -> Made: return pool, loud"
    exec(compile(text, "it.py", "exec", dont_inherit=True), namespace)
    made = with_arguments_of(namespace["original"], namespace["original"])
    assert made("it", "a pool", loud="yes") == ("a pool", "yes")


def test_a_later_change_by_someone_else_is_left(hooks: Hooks) -> None:
    """What another has put over a replacement is not taken away with it."""
    hooks.replace(Base, "plain", louder)
    theirs = Base.plain = lambda self, *args: "theirs"  # type: ignore[method-assign,assignment]
    hooks.remove()
    found = vars(Base)["plain"]
    hooks.replace_by(Base, "plain", theirs)
    assert found is theirs


def test_a_module_is_hooked_before_and_after_its_import(hooks: Hooks, library: str) -> None:
    """A module that is there and one that is still to come get the same hooks, once each."""
    seen: list[int] = []
    hooks.when_imported(library, lambda module: seen.append(module.value))
    assert seen == []
    module = importlib.import_module(library)
    hooks.when_imported(library, lambda module: seen.append(module.value + 1))
    importlib.reload(module)
    assert seen == [1, 2]
    assert hooks.installed == [library]


def test_two_probes_wait_for_one_module(hooks: Hooks, library: str) -> None:
    """Each of two that wait for a module is told of it."""
    seen: list[str] = []
    hooks.when_imported(library, lambda _: seen.append("one"))
    hooks.when_imported(library, lambda _: seen.append("two"))
    importlib.import_module(library)
    assert seen == ["one", "two"]


def test_a_hook_that_fails_breaks_no_import(hooks: Hooks, library: str) -> None:
    """A probe that does not fit a library is named with its reason, and the library is imported all the same."""
    hooks.when_imported(library, lambda module: module.no_such_thing)
    assert importlib.import_module(library).value == 1
    assert "no_such_thing" in hooks.failures[library]
    assert hooks.installed == []


def test_loaders_are_as_they_were(hooks: Hooks, tmp_path: Path, library: str) -> None:
    """A module's loader keeps nothing of the hook, and still gives the module's text."""
    hooks.when_imported(library, lambda _: None)
    loader: Any = importlib.import_module(library).__loader__
    assert "exec_module" not in vars(loader)
    assert loader.get_data(str(tmp_path / f"{library}.py")) == b"value = 1\n"


def test_an_error_in_a_module_is_its_own(hooks: Hooks, tmp_path: Path, library: str) -> None:
    """A module that raises as it is imported raises the same with a hook, and is hooked when it can be imported."""
    path = tmp_path / f"{library}.py"
    path.write_text("raise ValueError('mine')\n")
    seen: list[ModuleType] = []
    hooks.when_imported(library, seen.append)
    with pytest.raises(ValueError, match="mine") as caught:
        importlib.import_module(library)
    assert Path(caught.traceback[-1].path) == path
    assert seen == []


def test_nothing_stays_on_the_import_path(library: str) -> None:
    """After removal no finder is left, and modules are imported unhooked."""
    before = list(sys.meta_path)
    hooks, seen = Hooks(), []
    hooks.when_imported(library, seen.append)
    assert len(sys.meta_path) == len(before) + 1
    hooks.remove()
    assert sys.meta_path == before
    importlib.import_module(library)
    assert seen == []


def test_a_loader_that_takes_no_hook_is_named(hooks: Hooks) -> None:
    """A loader on which nothing can be set imports its module, and the probe says that it is blind there."""

    class Rigid:
        __slots__ = ()

        def create_module(self, spec: Any) -> None:
            return None

        def exec_module(self, module: Any) -> None:
            module.value = 2

    class Finder:
        @staticmethod
        def find_spec(name: str, path: Any, target: Any = None) -> Any:
            if name != "a_rigid_module":
                return None
            return importlib.util.spec_from_loader(name, Rigid())  # type: ignore[arg-type]

    sys.meta_path.append(Finder)  # type: ignore[arg-type]
    try:
        hooks.when_imported("a_rigid_module", lambda _: None)
        assert importlib.import_module("a_rigid_module").value == 2
    finally:
        sys.meta_path.remove(Finder)  # type: ignore[arg-type]
        sys.modules.pop("a_rigid_module", None)
    assert "a_rigid_module" in hooks.failures


def test_a_probe_leaves_no_frame_in_a_traceback() -> None:
    """An error that passes through a probe shows the frames that it would show without."""

    def failing() -> None:
        raise ValueError("mine")

    def wrapper() -> None:
        try:
            failing()
        except BaseException as error:
            out_of_traceback(error)
            raise

    with pytest.raises(ValueError, match="mine") as caught:
        wrapper()
    assert [entry.name for entry in caught.traceback][1:] == ["failing"]


def test_an_error_of_another_frame_is_left() -> None:
    """A traceback that does not begin with the probe's own frame is not touched."""
    error = ValueError("mine")
    try:
        raise error
    except ValueError:
        traceback = error.__traceback__
    SimpleNamespace(call=lambda: out_of_traceback(error)).call()
    assert error.__traceback__ is traceback


def test_a_library_is_noticed_where_the_finders_were_replaced(
    hooks: Hooks, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that has put in a list of its own, or a finder before ours, imports it as before, and it is noticed."""
    seen: list[ModuleType] = []
    hooks.when_imported(library, seen.append)
    path_finder = next(finder for finder in sys.meta_path if getattr(finder, "__name__", "") == "PathFinder")
    monkeypatch.setattr(sys, "meta_path", [path_finder])
    assert importlib.import_module(library) is seen[0]


def test_two_of_them_notice_the_same_library(hooks: Hooks, library: str) -> None:
    """A trace and a guard in one process are both told, and neither asks the other for ever."""
    others, seen = Hooks(), list[str]()
    try:
        hooks.when_imported(library, lambda module: seen.append("one"))
        others.when_imported(library, lambda module: seen.append("other"))
        importlib.import_module(library)
        assert sorted(seen) == ["one", "other"]
    finally:
        others.remove()


def test_what_stands_in_for_a_module_is_left(hooks: Hooks, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mock, or a module made by hand, that a test puts in a library's place gets no hook; the library does later."""
    seen: list[object] = []
    hooks.when_imported(library, seen.append)
    for stand_in in (Mock(), ModuleType(library)):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, library, stand_in)
            hooks.catch_up()
    assert seen == []
    assert [importlib.import_module(library)] == seen


def test_what_came_past_the_hook_is_told(hooks: Hooks, library: str, tmp_path: Path) -> None:
    """A module that was imported unheard is hooked when it is looked for, and told of by name, once."""
    told: list[str] = []
    seen: list[object] = []
    hooks.when_imported(library, seen.append)
    spec = importlib.util.spec_from_file_location(library, tmp_path / f"{library}.py")
    assert spec is not None
    sys.modules[library] = module = importlib.util.module_from_spec(spec)
    hooks.catch_up_late(told.append)
    hooks.catch_up_late(told.append)
    assert (seen, told) == ([module], [library])


def test_what_is_still_being_imported_is_looked_for_again(hooks: Hooks, library: str, tmp_path: Path) -> None:
    """A module that was there before it was executed to its end is hooked then, though no module has come since."""
    told: list[str] = []
    hooks.when_imported(library, lambda module: None)
    spec = importlib.util.spec_from_file_location(library, tmp_path / f"{library}.py")
    assert spec is not None
    sys.modules[library] = importlib.util.module_from_spec(spec)
    spec._initializing = True  # type: ignore[attr-defined]
    hooks.catch_up_late(told.append)
    assert told == []
    spec._initializing = False  # type: ignore[attr-defined]
    hooks.catch_up_late(told.append)
    assert told == [library]


def test_nothing_is_looked_for_until_a_module_comes(
    hooks: Hooks, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each phase of each test asks: without a new module, no module that is waited for is looked at."""
    asked: list[object] = []
    hooks.when_imported(library, lambda module: None)
    hooks.catch_up_late(pytest.fail)
    monkeypatch.setattr(probes.hooks, "is_lazy", lambda module: asked.append(module))
    hooks.catch_up_late(pytest.fail)
    assert asked == []
    monkeypatch.setitem(sys.modules, f"{library}_beside", ModuleType("beside"))
    hooks.catch_up_late(pytest.fail)
    assert asked == [None]


class ByValue(pickle.Pickler):
    """Pickles a function that its module does not hold under its name with all that it holds, as cloudpickle does."""

    def reducer_override(self, thing: Any) -> Any:
        if not isinstance(thing, FunctionType):
            return NotImplemented
        found: Any = sys.modules.get(thing.__module__)
        for name in thing.__qualname__.split("."):
            found = getattr(found, name, None)
        if found is thing:
            return NotImplemented
        held = [cell.cell_contents for cell in thing.__closure__ or ()]
        used = [name for name in thing.__code__.co_names if name in thing.__globals__]
        return SimpleNamespace, (), {"held": held, "globals": {name: thing.__globals__[name] for name in used}}


def test_a_class_method_can_be_pickled_with_all_that_it_holds(hooks: Hooks) -> None:
    """What stands in for a class's own method holds nothing of the probes where it is pickled by value."""
    def locked(original: Any) -> Any:
        lock = threading.Lock()

        def replacement(cls: Any) -> Any:
            with lock:
                return original(cls).upper()
        return replacement

    hooks.replace(Base, "made", locked)
    assert Base.made() == "BASE"
    written = io.BytesIO()
    ByValue(written).dump(Base.made.__func__)
    assert b"kit" not in written.getvalue()


def test_a_function_of_c_has_no_annotations(hooks: Hooks) -> None:
    """What stands in for a function that is written in C gives typing the hints that the function gives: none."""
    def marked(original: Any) -> Any:
        def replacement(thing: No_such_type) -> Any:  # type: ignore[name-defined]  # noqa: F821
            return original(thing)
        return replacement

    holder = SimpleNamespace(length=len)
    hooks.replace(holder, "length", marked)
    assert typing.get_type_hints(holder.length) == typing.get_type_hints(len) == {}


@pytest.mark.parametrize("how", ["1/0", "import nothing_of_that_name", "a finder"])
def test_an_import_that_fails_has_the_traceback_that_it_has_without(
    hooks: Hooks, library: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the module's code, or a finder of the program's, raises, no frame is added."""

    class Finder:
        def find_spec(self, *_: Any) -> None:
            raise LookupError(library)

    (tmp_path / f"{library}.py").write_text("" if how == "a finder" else f"{how}\n")
    if how == "a finder":
        monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    shown = []
    for _ in range(2):
        importlib.invalidate_caches()
        try:
            exec(f"import {library}")
        except (ArithmeticError, ImportError, LookupError) as error:
            frames = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
            shown.append([(code.co_filename, code.co_name) for code in frames])
        hooks.when_imported(library, lambda _: None)
    assert shown[1] == shown[0]
