from __future__ import annotations

import asyncio
import decimal
import gc
import logging
import os
import signal
import sys
import threading
import time
import types
import unicodedata
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool, QueuePool

from kit.probes.state import holders
from kit.probes.state.holders import SET
from kit.probes.state.snapshot import Snapshot
from kit.probes.state.values import Kind

SOURCE = """
import collections, contextvars, enum, functools, itertools, json, random, threading

CONFIG = {"url": "a", "nested": {"list": [1, 2]}}
NAMES = []
SEEN = {1}
LAST = collections.deque([1], maxlen=3)
ORDERED = collections.OrderedDict(a=1, b=2, c=3)
Color = enum.Enum("Color", "RED BLUE")
class Key: pass
key = Key()
BY_ADDRESS = {id(key): key}
def keyed():
    def f(): pass
    return id(f), f
BY_OBJECT = {Color.RED: 1, Color.BLUE: 2, key: 3, Key(): 4}
ids = itertools.count(1)
numbers = random.Random(1)
local = threading.local()
chosen = contextvars.ContextVar("chosen")
chosen.set("a")
defaulted = contextvars.ContextVar("defaulted", default="a")

class Registry:
    entries = {}
    limit = 1

registry = Registry()

class Slotted:
    __slots__ = ("value",)

class Service:
    def __init__(self):
        self.cache = {}
        self.slotted = Slotted()

service = Service()
by_method = service.cache.setdefault
TUPLE = ({"in": "tuple"},)

@functools.lru_cache
def cached():
    return object()

def counted(function):
    calls = []
    def wrapper(*arguments):
        calls.append(arguments)
        return function(*arguments)
    return wrapper

@counted
def decorated():
    return None

def default(value, known=[]):
    known.append(value)
"""

Change = Callable[[Any], object]
DERIVED: list[type] = []


@pytest.fixture
def program(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A module of a program's own, loaded under a name of its own."""
    file = tmp_path / f"program_{os.getpid()}.py"
    file.write_text(SOURCE)
    module = types.ModuleType(file.stem)
    module.__file__ = str(file)
    sys.modules[file.stem] = module
    exec(compile(SOURCE, str(file), "exec"), vars(module))
    yield module
    del sys.modules[file.stem]


CHANGES: dict[str, Change] = {
    ".CONFIG['url']": lambda m: m.CONFIG.update(url="b"),
    ".CONFIG['new']": lambda m: m.CONFIG.update(new=1),
    ".CONFIG['nested']['list']": lambda m: m.CONFIG["nested"]["list"].append(3),
    ".CONFIG": lambda m: setattr(m, "CONFIG", {}),
    ".CONFIG['url'] ": lambda m: m.CONFIG.pop("url"),
    ".ORDERED['b']": lambda m: m.ORDERED.pop("b"),
    ".ORDERED['d']": lambda m: m.ORDERED.update(d=4),
    ".BY_OBJECT[Color.BLUE]": lambda m: m.BY_OBJECT.update({m.Color.BLUE: 5}),
    ".BY_OBJECT[<%s.Key> 2]": lambda m: m.BY_OBJECT.popitem(),
    ".BY_ADDRESS[id(%s.keyed.<locals>.f)]": lambda m: m.BY_ADDRESS.update([m.keyed()]),
    ".BY_ADDRESS[id(%s.Key)]": lambda m: m.BY_ADDRESS.update({id(m.Key): weakref.ref(m.Key)}),
    ".BY_ADDRESS[70000]": lambda m: m.BY_ADDRESS.update({70_000: m.Key}),
    ".NAMES": lambda m: m.NAMES.append("x"),
    ".SEEN": lambda m: m.SEEN.add(2),
    ".LAST": lambda m: m.LAST.extend([2, 3, 4]),
    ".ids": lambda m: next(m.ids),
    ".numbers": lambda m: m.numbers.random(),
    ".local.value": lambda m: setattr(m.local, "value", 1),
    ".chosen": lambda m: m.chosen.set("b"),
    ".defaulted": lambda m: m.defaulted.set("b"),
    ".Registry.entries['x']": lambda m: m.Registry.entries.update(x=1),
    ".Registry.limit": lambda m: setattr(m.Registry, "limit", 2),
    ".registry.limit": lambda m: setattr(m.registry, "limit", 2),  # on an object without attributes of its own
    ".service.cache['k']": lambda m: m.service.cache.update(k=1),
    ".service.slotted.value": lambda m: setattr(m.service.slotted, "value", 1),
    ".TUPLE[0]['in']": lambda m: m.TUPLE[0].update({"in": "place"}),
    ".cached": lambda m: m.cached(),
    ".decorated (closure calls)": lambda m: m.decorated(),
    ".default (default 0)": lambda m: m.default(1),
    ".Registry.__subclasses__()": lambda m: DERIVED.append(type("Derived", (m.Registry,), {})),
    ".added": lambda m: setattr(m, "added", 1),
    ".decorated": lambda m: delattr(m, "decorated"),
}


@pytest.mark.parametrize("place", CHANGES)
def test_what_a_program_changes_is_seen_by_its_name_and_put_back(program: Any, place: str) -> None:
    """A change, in place or not, is one difference under the name that a program has for it, and can be taken back."""
    snapshot = Snapshot({program.__name__: program})
    CHANGES[place](program)
    mine = [found for found in snapshot.differences() if found.holder.name.startswith(program.__name__)]
    named = program.__name__ + place.strip().replace("%s", program.__name__)
    assert [found.place for found in mine] == [named]
    mine[0].put_back()
    assert [found.place for found in snapshot.differences() if found.place.startswith(program.__name__)] == []


def test_what_was_taken_out_of_a_dictionary_comes_back_where_it_was(program: Any) -> None:
    """The order of a dictionary is as it was, too, and an OrderedDict is whole."""
    program.BY_NAME = {"a": 1, "b": 2, "c": 3}
    snapshot = Snapshot({program.__name__: program})
    for mapping in (program.BY_NAME, program.ORDERED):
        del mapping["a"], mapping["c"]
        mapping["d"] = 4
        mapping["b"] = 5
    for difference in list(snapshot.differences()):
        if difference.holder.name.startswith(program.__name__):
            difference.put_back()
    assert list(program.BY_NAME.items()) == [("a", 1), ("b", 2), ("c", 3)] == list(program.ORDERED.items())
    assert list(reversed(program.ORDERED)) == ["c", "b", "a"]
    assert (program.ORDERED.popitem(), len(program.ORDERED)) == (("c", 3), 2)


PROCESS: dict[str, tuple[str, Callable[[], object]]] = {
    "a variable": ("os.environ['KIT_STATE']", lambda: os.environ.__setitem__("KIT_STATE", "1")),
    "the working directory": ("the process's working directory", lambda: os.chdir("/")),
    "a folder of modules": ("sys.path", lambda: sys.path.append("/nowhere")),
    "the arguments": ("sys.argv", lambda: sys.argv.append("x")),
    "a logger's level": ("logging.getLogger('kit.state').level", lambda: logging.getLogger("kit.state").setLevel(10)),
    "a logger's handlers": (
        "logging.getLogger('kit.state').handlers",
        lambda: logging.getLogger("kit.state").addHandler(logging.NullHandler()),
    ),
    "a handler's level": (
        "logging.getLogger('kit.handled').handlers[0].level",
        lambda: logging.getLogger("kit.handled").handlers[0].setLevel(10),
    ),
    "a handler of a logger that is made then": (
        "logging.getLogger('kit.state.made').handlers",
        lambda: logging.getLogger("kit.state.made").addHandler(logging.NullHandler()),
    ),
    "the level of another that is made then": (
        "logging.getLogger('kit.state.made2').level",
        lambda: logging.getLogger("kit.state.made2").setLevel(10),
    ),
    "that a logger is made": (
        "logging.root.manager.loggerDict['kit.state.new']", lambda: logging.getLogger("kit.state.new")
    ),
    "a name of a level": ("logging._levelToName[5]", lambda: logging.addLevelName(5, "TRACE")),
    "a function of a library": ("json.dumps", lambda: setattr(sys.modules["json"], "dumps", len)),
    "a method of a library": (
        "json.JSONDecoder.decode",
        lambda: setattr(sys.modules["json.decoder"].JSONDecoder, "decode", len),  # type: ignore[attr-defined]
    ),
    "a table of a library": ("mimetypes.knownfiles", lambda: __import__("mimetypes").knownfiles.append("x")),
    "random numbers": ("random._inst", lambda: __import__("random").random()),
    "the time zone": ("the process's time zone", lambda: _other_zone()),
    "the precision of decimals": ("the process's decimal precision", lambda: setattr(decimal.getcontext(), "prec", 5)),
    "the rounding of decimals": (
        "the process's decimal rounding", lambda: setattr(decimal.getcontext(), "rounding", decimal.ROUND_UP)
    ),
    "the event loop": ("the process's event loop", lambda: asyncio.set_event_loop(LOOP)),
    "what handles a signal": (
        "signal.getsignal(signal.SIGUSR1)", lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    ),
    "the collection of garbage": ("the process's garbage collection", lambda: gc.disable()),
    "a hook of the interpreter": ("sys.unraisablehook", lambda: setattr(sys, "unraisablehook", len)),
    "what listens to every session": (
        "the listeners of SessionEvents.after_soft_rollback", lambda: event.listen(Session, "after_soft_rollback", len)
    ),
    "what listens to every pool": (
        "the listeners of PoolEvents.checkout", lambda: event.listen(Pool, "checkout", _heard)
    ),
    "a loaded module": ("sys.modules['kit_state_module']", lambda: sys.modules.update(kit_state_module=sys)),
}
BESIDES = (  # these change something else, too
    "logging.getLogger('kit.state.made').handlers", "logging.getLogger('kit.state.made2').level",
    "logging._levelToName[5]",
)  # fmt: skip
LOOP = asyncio.new_event_loop()
logging.getLogger("kit.state")
logging.getLogger("kit.handled").addHandler(logging.NullHandler())
asyncio.set_event_loop(None)  # which makes the policy
__import__("mimetypes")


@pytest.fixture
def _listened() -> Iterator[None]:
    """Something listens to a class and to one derived from it, as long as the test runs."""
    listeners = (Pool, "checkout", _heard_before), (QueuePool, "checkout", _heard_of_a_queue)
    for one in listeners:
        event.listen(*one)
    yield
    for one in listeners:
        event.remove(*one)


def _heard_before(*given: object) -> None:
    """Stands for a listener that is there when a test begins."""


def _heard_of_a_queue(*given: object) -> None:
    """Stands for a listener of a class below."""


def _heard(*given: object) -> None:
    """Stands for a listener that a test leaves."""


def _other_zone() -> None:
    """As monkeypatch leaves it: the variable is what it was, and the zone that was read from it stays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "KIT-9")
        time.tzset()


@pytest.mark.usefixtures("_listened")
@pytest.mark.parametrize("what", PROCESS)
def test_what_the_process_shares_is_seen_and_put_back(what: str) -> None:
    """State outside the program's own modules is seen under the name that a program has for it, and put back.

    It is one difference: the same under another name would stay as it is where this one is put back, and the reverse.
    """
    place, change = PROCESS[what]
    names = ("json", "json.decoder", "logging", "mimetypes", "os", "random", "site", "sys")
    snapshot = Snapshot({name: sys.modules[name] for name in names})
    change()
    every = list(snapshot.differences())
    assert [one.place for one in every] == [place] or place in BESIDES, every
    found = [difference for difference in every if difference.place == place]
    holder = snapshot.holder(found[0].holder.name)  # as it is asked for who wrote it
    assert holder is not None
    assert (holder.kind, holder.thing) == (found[0].holder.kind, found[0].holder.thing)
    for difference in snapshot.differences():
        difference.put_back()
    assert [difference.place for difference in found] == [place]
    assert place not in [difference.place for difference in snapshot.differences()]


class Jealous:
    """An object each of whose methods tells that it was called."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")

    def _refuse(self, *arguments: Any) -> Any:
        raise AssertionError("called")

    __eq__ = __hash__ = __repr__ = __bool__ = __len__ = __iter__ = __contains__ = _refuse  # type: ignore[assignment]


def test_nothing_of_the_program_is_called(program: Any) -> None:
    """Objects that refuse to be asked anything are gone through, compared and put back all the same."""
    program.objects = [Jealous(), Jealous()]
    program.CONFIG["object"] = Jealous()
    snapshot = Snapshot({program.__name__: program})
    program.objects.reverse()
    program.CONFIG["object"] = Jealous()
    found = [difference for difference in snapshot.differences() if difference.holder.name.startswith(program.__name__)]
    assert {difference.place for difference in found} == {
        f"{program.__name__}.objects", f"{program.__name__}.CONFIG['object']"
    }  # fmt: skip
    for difference in found:
        difference.put_back()
    assert not [one for one in snapshot.differences() if one.place.startswith(program.__name__)]


def test_what_is_met_later_is_taken_in(program: Any) -> None:
    """A module that is imported and a fixture that is made later on are compared with what they were then."""
    modules = {}
    snapshot = Snapshot(modules)
    later = types.ModuleType("kit_state_later")
    later.__file__ = program.__file__
    vars(later)["KNOWN"] = []
    modules["kit_state_later"] = later
    snapshot.add_modules()
    held: dict[str, Any] = {"lock": threading.Lock(), "rows": []}
    snapshot.add_fixture("database", held)
    vars(later)["KNOWN"].append(1)
    held["rows"].append(1)
    found = [difference.place for difference in snapshot.differences()]
    assert "kit_state_later.KNOWN" in found
    assert "the fixture database['rows']" in found


def test_a_class_that_was_never_made_ready_is_no_obstacle(program: Any) -> None:
    """Objects of such a class of the interpreter's own (before Python 3.10) are gone through without an error."""
    program.UCD = unicodedata.ucd_3_2_0
    snapshot = Snapshot({program.__name__: program, "unicodedata": unicodedata})
    program.CONFIG["url"] = "b"
    assert f"{program.__name__}.CONFIG['url']" in [found.place for found in snapshot.differences()]
    assert snapshot.unread == {}


def test_what_cannot_be_read_is_named_and_all_else_is_looked_at(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One object that cannot be read, at first or later on, is said with the reason, and is no difference."""
    broken = {id(program.SEEN)}

    def read(values: set[Any]) -> dict[str, Any]:
        if id(values) in broken:
            raise RuntimeError("it changed meanwhile")
        return SET.read(values)

    monkeypatch.setattr(holders, "SET", Kind(read, SET.write))
    program.LATER = {1}
    snapshot = Snapshot({program.__name__: program})
    assert snapshot.unread == {f"{program.__name__}.SEEN": "RuntimeError: it changed meanwhile"}
    broken.add(id(program.LATER))
    program.CONFIG["url"] = "b"
    found = [one.place for one in snapshot.differences() if one.place.startswith(program.__name__)]
    assert found == [f"{program.__name__}.CONFIG['url']"]
    assert f"{program.__name__}.LATER" in snapshot.unread
