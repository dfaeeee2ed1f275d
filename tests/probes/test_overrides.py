from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from kit.probes.hooks import Hooks
from kit.probes.overrides import Overrides, WatchedOverrides
from tests.probes.seen import PYTEST, Seen, run


class Application:
    """Stands in for FastAPI: the probe knows it by the module in which it makes its own dictionary."""


exec(
    "def make(kind):\n    app = kind()\n    app.dependency_overrides = {}\n    return app",
    made := {"__name__": "fastapi.applications"},
)


def get_db() -> None:
    """A dependency."""


def other() -> None:
    """Another."""


def override() -> None:
    """Stands in for one."""


@pytest.fixture
def told() -> Iterator[list[tuple[str, Any, Any]]]:
    told: list[tuple[str, Any, Any]] = []
    hooks, overrides = Hooks(), Overrides(lambda op, app, key, by, **_: told.append((op, key, by)))
    hooks.replace(Application, "__setattr__", overrides.assigning)
    Application.look = overrides.look  # type: ignore[attr-defined]
    yield told
    hooks.remove()


@pytest.fixture
def app(told: list[tuple[str, Any, Any]]) -> Any:
    return made["make"](Application)


def test_each_change_is_told_once(app: Any, told: list[tuple[str, Any, Any]]) -> None:
    """Set, replaced and removed are told with the key and what stands in for it, in every way of changing it."""
    overrides = app.dependency_overrides
    overrides[get_db] = override
    overrides[get_db] = other
    overrides.update({other: override})
    overrides.setdefault(other, get_db)
    del overrides[get_db]
    overrides.pop(other)
    overrides.pop(other, None)
    overrides |= {get_db: override}
    overrides.popitem()
    overrides.update({get_db: override})
    overrides.clear()
    assert told == [
        ("set", get_db, override), ("replaced", get_db, other), ("set", other, override), ("removed", get_db, None),
        ("removed", other, None), ("set", get_db, override), ("removed", get_db, None), ("set", get_db, override),
        ("removed", get_db, None),
    ]  # fmt: skip


def test_a_removal_that_fails_is_none(app: Any, told: list[tuple[str, Any, Any]]) -> None:
    """A key that is not there raises as it would, and nothing is told."""
    for remove in (lambda: app.dependency_overrides.pop(get_db), lambda: app.dependency_overrides.__delitem__(get_db)):
        with pytest.raises(KeyError):
            remove()
    assert told == []


OPERATIONS: list[Callable[[Any, Any, Any], Any]] = [
    lambda held, key, value: held.__setitem__(key, value),
    lambda held, key, value: held.pop(key, value),
    lambda held, key, value: held.setdefault(key, value),
    lambda held, key, value: held.update({key: value}, extra=value),
    lambda held, key, value: held.update([(key, value)]),
    lambda held, key, value: held.get(key, value),
    lambda held, key, value: held.popitem() if held else None,
    lambda held, key, value: held.clear() if value == 3 else None,
    lambda held, key, value: held | {key: value},
    lambda held, key, value: held.__ior__({key: value}) and None,
    lambda held, key, value: (key in held, len(held), list(held), list(held.items()), repr(held), held == {key: value}),
    lambda held, key, value: held.pop(key) if key in held else None,
]


@pytest.mark.parametrize("seed", range(5))
def test_it_does_what_a_dictionary_does(seed: int) -> None:
    """Whatever is done to it, it holds and gives back what a plain dictionary would, in the same order."""
    watched, plain, dice = WatchedOverrides(), {}, random.Random(seed)  # type: ignore[var-annotated]
    watched.watch(lambda *_: None, Application())
    for _ in range(400):
        operation, key, value = dice.choice(OPERATIONS), dice.randrange(4), dice.randrange(6)
        assert operation(watched, key, value) == operation(plain, key, value)
        assert list(watched.items()) == list(plain.items())


def test_copies_are_plain_dictionaries(app: Any, told: list[tuple[str, Any, Any]]) -> None:
    """A copy of any kind is a plain dictionary of the same things, and its changes are nobody's."""
    app.dependency_overrides[get_db] = override
    overrides = app.dependency_overrides
    for made_anew in (copy.copy, copy.deepcopy, dict, lambda held: pickle.loads(pickle.dumps(held)), dict.copy):
        again = made_anew(overrides)
        assert type(again) is dict
        assert again == {get_db: override}
        again.clear()
    assert isinstance(overrides, dict)
    assert told == [("set", get_db, override)]


def test_a_dictionary_from_elsewhere_stays_that_object(app: Any, told: list[tuple[str, Any, Any]]) -> None:
    """A dictionary that is assigned is the application's from then on, and who else holds it can change it."""
    mine = {get_db: override}
    app.dependency_overrides = mine
    assert app.dependency_overrides is mine
    mine[other] = override
    app.look(app)
    assert app.dependency_overrides == {get_db: override, other: override}
    mine[get_db] = other
    del mine[other]
    app.look(app)
    assert app.dependency_overrides is mine
    app.dependency_overrides = {}
    assert app.dependency_overrides == {}
    assert told == [
        ("set", get_db, override), ("set", other, override), ("removed", other, None), ("replaced", get_db, other),
        ("removed", get_db, None),
    ]  # fmt: skip


def test_saved_and_given_back_it_is_the_same(app: Any, told: list[tuple[str, Any, Any]]) -> None:
    """The application's dictionary, put aside and assigned again, is the same object, and both changes are told."""
    app.dependency_overrides[get_db] = override
    saved = app.dependency_overrides
    app.dependency_overrides = {get_db: other}
    app.dependency_overrides = saved
    assert app.dependency_overrides is saved
    app.dependency_overrides |= {other: override}
    assert app.dependency_overrides is saved
    assert [op for op, *_ in told] == ["set", "replaced", "replaced", "set"]


def test_patching_works_as_ever(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """mock.patch.dict and monkeypatch change it and put it back."""
    app.dependency_overrides[get_db] = override
    with mock.patch.dict(app.dependency_overrides, {other: override}, clear=True):
        assert app.dependency_overrides == {other: override}
    assert app.dependency_overrides == {get_db: override}
    with monkeypatch.context() as patch:
        patch.setitem(app.dependency_overrides, get_db, other)
        assert app.dependency_overrides == {get_db: other}
    assert app.dependency_overrides == {get_db: override}
    with monkeypatch.context() as patch:
        patch.setattr(app, "dependency_overrides", {})
        assert app.dependency_overrides == {}
    assert app.dependency_overrides == {get_db: override}


def test_an_application_without_any_says_so(told: list[tuple[str, Any, Any]]) -> None:
    """Before it is set, and after it is deleted, the attribute is missing as any other."""
    app: Any = Application()
    with pytest.raises(AttributeError, match="no attribute 'dependency_overrides'"):
        print(app.dependency_overrides)
    app.dependency_overrides = {}
    del app.dependency_overrides
    assert not hasattr(app, "dependency_overrides")


SUITE = {
    "app.py": """\
        from fastapi import FastAPI
        app = FastAPI()
        def get_db(): ...
        """,
    "conftest.py": """\
        import pytest
        from app import app, get_db

        @pytest.fixture
        def overridden():
            app.dependency_overrides[get_db] = lambda: 1
            yield
            app.dependency_overrides.pop(get_db)
        """,
    "test_it.py": """\
        from app import app, get_db

        def test_one(overridden): ...

        def test_two():
            app.dependency_overrides = {get_db: test_one}

        def test_three():
            app.dependency_overrides.clear()
            assert len(app.dependency_overrides) == 0
        """,
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return run(tmp_path_factory.mktemp("overrides"), SUITE, *PYTEST)


def test_overrides_are_told_per_test(seen: Seen) -> None:
    """In a suite each change has its test, phase and fixture; and its line, but for a dictionary from elsewhere."""
    assert [
        (event["op"], event["test"].rpartition("::")[2], event["phase"], event.get("fixture"),
         next(iter(seen.places(event)), ""))
        for event in seen.of("override")
    ] == [
        ("set", "test_one", "setup", "overridden", "conftest.py:6 overridden"),
        ("removed", "test_one", "teardown", None, "conftest.py:8 overridden"),
        ("set", "test_two", "call", None, "test_it.py:6 test_two"),
        ("removed", "test_three", "call", None, ""),
    ]  # fmt: skip
    assert {seen.named(event["key"]) for event in seen.of("override")} == {"app.get_db"}


def test_overrides_keep_nothing_alive(tmp_path: Path) -> None:
    """What an override held is gone when the override is, and the application when its last holder lets go."""
    program = """\
        import gc, weakref
        from fastapi import FastAPI

        class Session: ...

        def overridden(app):
            session = Session()
            app.dependency_overrides[overridden] = lambda: session
            return weakref.ref(session)

        app = FastAPI()
        session = overridden(app)
        assert session() is not None
        app.dependency_overrides.clear()
        assert session() is None
        app.dependency_overrides = {overridden: lambda: 1}
        gone = weakref.ref(app)
        del app
        gc.collect()
        assert gone() is None
        """
    seen = run(tmp_path, {"it.py": program}, "it.py")
    assert len(seen.of("app_gone")) == 1
