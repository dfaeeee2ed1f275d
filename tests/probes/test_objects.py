from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path

from kit.probes.objects import Objects, attribute, path_of


class Thing:
    """Something to be named."""


def test_an_object_keeps_its_name_and_is_not_kept() -> None:
    """An object is known by its name as long as it lives, and is gone when its owner lets go of it."""
    objects, thing = Objects(), Thing()
    name = objects.new("thing", thing)
    assert objects.of("thing", thing) == name
    assert objects.of("other", thing) is None
    pointer = weakref.ref(thing)
    del thing
    gc.collect()
    assert pointer() is None


def test_a_name_is_not_passed_on() -> None:
    """An object in the place of one that is gone is another."""
    objects = Objects()
    names = set()
    for _ in range(100):
        thing = Thing()
        assert objects.of("thing", thing) is None
        names.add(objects.new("thing", thing))
    assert len(names) == 100


def test_names_tell_the_process() -> None:
    """A name begins with the process, so that two processes never give the same."""
    assert Objects().number("thing") == f"{os.getpid()}:1"


def test_what_cannot_be_pointed_at_has_a_name_too() -> None:
    """A kind of object that no weak reference can point at is known by its place."""
    objects, thing = Objects(), (1, 2)
    assert objects.of("thing", thing) is None
    assert objects.of("thing", thing) == (objects.new("thing", thing) and None) or objects.of("thing", thing)


class Slotted:
    """Something whose attribute may not be set."""

    __slots__ = ("filled",)


def test_what_an_object_has_is_read_without_its_code() -> None:
    """A slot that is not filled is none, and a property is not asked."""
    thing = Slotted()
    assert attribute(thing, "filled", "nothing") == "nothing"
    thing.filled = 1  # type: ignore[attr-defined]
    assert attribute(thing, "filled") == 1


class Shouting(bytes):
    """A path that says something else than it is."""

    def __getitem__(self, _: object) -> bytes:  # type: ignore[override]
        raise AssertionError("it was asked")


def test_a_path_is_read_as_what_it_is() -> None:
    """Text, bytes and what pathlib makes are paths, read without methods of the program's; other objects are none."""
    assert [path_of(one) for one in ("a.db", b"a.db", Shouting(b"a.db"), Path("a.db"))] == ["a.db"] * 4
    assert path_of(os.scandir) is None
