from __future__ import annotations

import functools
import gc
import importlib
import sys
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import MagicMock

import pytest
from fastapi import Depends

from kit.probes.callables import Callables, code_of, describe, known_as
from kit.probes.objects import Objects
from kit.probes.recorder import Recorder
from tests.probes.seen import read


def plain() -> None:
    """A function."""


@functools.wraps(plain)
def decorated() -> None:
    """A function around another."""


@functools.lru_cache
def cached() -> None:
    """A function with a cache."""


class Class:
    def __init__(self) -> None: ...

    def method(self) -> None: ...


class Instance:
    def __call__(self) -> None: ...


def line(function: Any) -> int:
    number: int = function.__code__.co_firstlineno
    return number


@pytest.mark.parametrize(
    ("call", "type_", "name", "first_line"),
    [
        (plain, "function", "plain", line(plain)),
        (decorated, "function", "plain", line(plain)),
        (cached, "function", "cached", line(cached.__wrapped__)),
        (Class, "class", "Class", line(Class.__init__)),
        (Class().method, "method", "Class.method", line(Class.method)),
        (Instance(), "instance", "Instance", line(Instance.__call__)),
        (functools.partial(plain), "partial", "plain", line(plain)),
    ],
)
def test_a_callable_is_described(call: Any, type_: str, name: str, first_line: int) -> None:
    """What a callable is, what it is called and where it is defined is found through decorators."""
    described = describe(call)
    assert (described["type"], described["name"]) == (type_, f"{__name__}.{name}")
    assert (described["file"], described["line"]) == (__file__, first_line)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (plain, plain.__code__), (decorated, plain.__code__), (Class, Class.__init__.__code__),
        (Class().method, Class.method.__code__), (Instance(), Instance.__call__.__code__),
        (functools.partial(plain), plain.__code__), (len, None), (int, None),
    ],
)  # fmt: skip
def test_the_code_that_will_run_is_found(call: Any, code: Any) -> None:
    """The code that runs when a callable is called is found, and None where it is not Python's."""
    assert code_of(call) is code


def test_a_stand_in_is_not_asked() -> None:
    """A mock that is described has seen nothing of it."""
    mock = MagicMock()
    assert describe(mock)["type"] == "instance"
    assert code_of(mock) is not None
    assert mock.mock_calls == []


def test_callables_are_told_apart_and_not_kept(tmp_path: Path) -> None:
    """Each callable has a number of its own for as long as it lives, written once; nothing is kept alive for it."""
    recorder = Recorder(str(tmp_path), 0.0)
    callables = Callables(recorder, Objects())

    def made() -> Any:
        def inner() -> None: ...

        return inner

    one, two, thing = made(), made(), Class()
    numbers = [callables.name(call) for call in (one, two, one, thing.method, thing.method, Class().method, None)]
    assert numbers[0] == numbers[2] != numbers[1]
    assert numbers[3] == numbers[4] != numbers[5]
    assert numbers[6] is None
    assert callables.defined(one) == callables.defined(two)
    pointers = gc.get_referrers(one)
    assert not [pointer for pointer in pointers if isinstance(pointer, dict) and pointer is not locals()]
    recorder.close()
    assert len([event for event in read(tmp_path) if event["kind"] == "callable"]) == 5


def test_what_cannot_be_pointed_at_is_known_by_what_it_is(tmp_path: Path) -> None:
    """A key that no weak reference can point at has the number of its description."""
    recorder = Recorder(str(tmp_path), 0.0)
    callables = Callables(recorder, Objects())
    assert callables.name("a text") == callables.name("another")
    recorder.close()


def test_a_global_is_found_for_what_its_name_does_not_lead_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A made function, an instance and a method of one are known by the global that holds them; others need none."""
    (tmp_path / "deps_of_mine.py").write_text(
        "def make():\n    def get(): ...\n    return get\n"
        "class Database:\n    def session(self): ...\n    def __call__(self): ...\n"
        "get_main, database = make(), Database()\n"
    )
    (tmp_path / "conftest_of_mine.py").write_text("from deps_of_mine import get_main as mine\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    user, deps = importlib.import_module("conftest_of_mine"), importlib.import_module("deps_of_mine")
    try:
        assert known_as(user.mine) == "deps_of_mine.get_main"
        assert known_as(deps.database) == "deps_of_mine.database"
        assert known_as(deps.database.session) == "deps_of_mine.database.session"
        assert [known_as(call) for call in (deps.make, deps.Database, deps.make(), len)] == [None] * 4
    finally:
        for module in (user, deps):
            del sys.modules[module.__name__]


def test_an_annotated_dependency_is_described_by_what_it_depends_on() -> None:
    """An override is sometimes given for the annotation in place of the function, where FastAPI never looks for it."""
    annotated = Annotated[int, "a text", Depends(plain)]
    found = describe(annotated)
    assert (found["type"], found["inner"]) == ("annotated", plain)
    assert found["name"] == f"typing.Annotated[int, Depends({describe(plain)['name']})]"
    assert describe(Annotated[int, "a text"])["type"] == "instance"
