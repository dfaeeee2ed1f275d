"""A snapshot of the program's state, and the differences to it later."""

from __future__ import annotations

from types import FunctionType, MethodType, ModuleType
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from ..frames import APPLICATION, owner
from ..objects import address, held_by, is_a, module_of
from ..own import functools, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from ..quiet import is_of_a_signals_handler, reason
from . import listeners, loggers, process
from .holders import CLASS, INSTANCE, MODULE, SUBCLASSES, kind_of
from .imports import under_way
from .values import ABSENT, Content, Entries, Holder, differ, frozen, is_simple

PROJECT, FIXTURES, PROCESS, LIBRARIES, MODULES = "project", "fixtures", "process", "libraries", "modules"

# Modules with state of their own, which changes in every test.
_NOT_LOOKED_AT = frozenset((
    "_pytest", "pytest", "pluggy", "kit", "coverage", "xdist", "execnet", "_io", "io", "threading", "gc", "linecache",
    "inspect", "sys", "posix", "nt", "logging", "asyncio", "traceback", "sre_compile", "sre_parse", "re", "tokenize",
    "importlib", "zipimport", "site", "sitecustomize", "usercustomize", "pkgutil", "zipfile", "weakref", "_weakref",
    "_weakrefset", "abc", "typing", "dis", "opcode", "ast", "codecs", "encodings", "reprlib", "faulthandler",
    "_virtualenv", "six", "ctypes", "copyreg", __name__.partition(".")[0],
))  # fmt: skip
_HOLDERS_AT_MOST = 200_000  # for the project
_LIBRARY_HOLDERS_AT_MOST = 400_000
_DEPTH_AT_MOST = 14
_LIBRARY_DEPTH_AT_MOST = 2  # from a library's own names


class Difference(NamedTuple):
    """An entry that has changed. `place` is its name, as the program would write it."""

    place: str
    group: str
    holder: Holder
    label: str
    before: Any
    after: Any

    def put_back(self) -> bool:
        """Restore the entry; return False if that is impossible, because it is read-only or was deleted."""
        try:
            self.holder.put_back(self.label, self.before)
        except (AttributeError, KeyError, OSError, TypeError, ValueError):
            return False
        return True


class Snapshot:
    """The content of all holders at one moment. Objects that appear later are added as they are then.

    `modules` are the modules to start at, by default all that are loaded. `unread` has the holders that could not be
    read, each with the reason.
    """

    def __init__(self, modules: Optional[Dict[str, Any]] = None) -> None:
        self.unread: Dict[str, str] = {}
        self._all = sys.modules if modules is None else modules
        self._before: List[Tuple[str, Holder, Entries]] = []
        self._known: Set[int] = set()
        self._modules: Dict[str, ModuleType] = {}
        self._library_holders = 0
        self._known.update(address(thing) for thing in process.things())  # reported under those names only
        self.add_modules()
        for holder in process.holders():
            self._add(PROCESS, holder)
        names = loggers.names()
        if names is not None:
            self._add(LIBRARIES, names)
        self._add(MODULES, process.modules())

    def add_modules(self) -> None:
        """Add the modules loaded since."""
        new = {
            name: module for name, module in list(self._all.items())
            if self._modules.get(name) is not module and under_way(module) is None
        }  # fmt: skip
        self._modules.update(new)
        mine = {name: module for name, module in new.items() if is_a(module, ModuleType) and _is_project(module)}
        for name, module in mine.items():
            self._walk(PROJECT, Holder(name, module, MODULE), _DEPTH_AT_MOST)
        for name, module in new.items():
            if name not in mine and is_a(module, ModuleType) and name.partition(".")[0] not in _NOT_LOOKED_AT:
                self._walk(LIBRARIES, Holder(name, module, MODULE), _LIBRARY_DEPTH_AT_MOST)

    def add_fixture(self, name: str, value: Any) -> None:
        """Add the value of a fixture that outlives a test."""
        self._walk_value(FIXTURES, f"the fixture {name}", value, _DEPTH_AT_MOST)

    def holder(self, name: str) -> Optional[Holder]:
        """Return a holder by its name; None if there is none yet."""
        return next((holder for _, holder, _ in self._before if holder.name == name), None) or (
            loggers.named(name) or listeners.named(name)
        )

    def differences(self) -> Iterator[Difference]:
        """Yield the entries that have changed, the project's own first."""
        known = {holder.name for _, holder, _ in self._before}
        made = [holder for holder in loggers.holders() if holder.kind is loggers.LOGGER and holder.name not in known]
        compared = [*self._before, *((PROCESS, logger, loggers.NEW) for logger in made)]
        heard = [holder for holder in listeners.holders() if holder.name not in known]
        compared += [(PROCESS, event, listeners.NEW) for event in heard]
        for group in (PROJECT, FIXTURES, PROCESS, LIBRARIES, MODULES):
            for mine, holder, before in compared:
                after = self._read(holder) if mine == group else None
                if after is not None:
                    yield from _compared(group, holder, before, after)

    def _add(self, group: str, holder: Holder) -> Entries:
        read = self._read(holder)
        if read is None:
            return {}
        entries = {label: frozen(value) for label, value in read.items()}
        self._before.append((group, holder.remembered(), entries))
        return entries

    def _read(self, holder: Holder) -> Optional[Entries]:
        try:
            return holder.kind.read(holder.thing)
        except Exception as error:
            self._could_not_read(holder.name, error)
            return None

    def _could_not_read(self, name: str, error: Exception) -> None:
        if is_of_a_signals_handler(error):
            raise error
        self.unread.setdefault(name, reason(error))

    def _walk(self, group: str, root: Holder, depth: int) -> None:
        """Add a holder and everything it references, breadth first, so that each object gets its shortest name."""
        waiting = [(root, depth)]
        self._known.add(address(root.thing))
        for holder, left in waiting:
            if group == LIBRARIES:
                self._library_holders += 1
            if len(self._before) > _HOLDERS_AT_MOST + self._library_holders or (
                self._library_holders > _LIBRARY_HOLDERS_AT_MOST
            ):
                return
            for label, value in self._add(group, holder).items():
                for name, thing in _within(holder.name + label, value):
                    self._wait(group, name, thing, left, waiting)

    def _walk_value(self, group: str, name: str, value: Any, depth: int) -> None:
        waiting: List[Tuple[Holder, int]] = []
        for called, thing in _within(name, value):
            self._wait(group, called, thing, depth, waiting)
        for holder, left in waiting:
            self._walk(group, holder, left)

    def _wait(self, group: str, name: str, thing: Any, left: int, waiting: List[Tuple[Holder, int]]) -> None:
        where = address(thing)
        if where in self._known or left <= 0:
            return
        try:
            if not _is_looked_at(group, thing, left):
                return
            self._known.add(where)
            kind = kind_of(thing)
        except Exception as error:
            self._could_not_read(name, error)
            return
        if kind is not None:
            waiting.append((Holder(name, thing, kind), left - 1))
            if kind is CLASS and group != LIBRARIES:
                self._add(group, Holder(f"{name}.__subclasses__()", thing, SUBCLASSES))


def _within(name: str, value: Any) -> Iterator[Tuple[str, Any]]:
    """Yield the objects in a value that may hold state, with their names; usually the value itself."""
    if type(value) is Content:
        for number, part in enumerate(value.values):
            yield from _within(f"{name}[{number}]", part)
    elif is_a(value, tuple) and not is_simple(value):
        for number, part in enumerate(tuple.__iter__(value)):
            yield from _within(f"{name}[{number}]", part)
    elif type(value) is MethodType:
        yield f"{name}.__self__", value.__self__
    elif type(value) is functools.partial:
        yield from _within(f"{name}.func", value.func)
        yield from _within(f"{name}.args", value.args)
    elif type(value) in (staticmethod, classmethod, property):
        function = value.fget if type(value) is property else value.__func__
        yield from _within(name, function)
    elif not is_simple(value):
        if type(value) is functools._lru_cache_wrapper:
            yield f"{name}.__wrapped__", held_by(value).get("__wrapped__")
        yield name, value


def _is_looked_at(group: str, thing: Any, left: int) -> bool:
    kind = type(thing)
    if is_a(thing, ModuleType) or module_of(kind).partition(".")[0] in _NOT_LOOKED_AT:
        return False
    if is_a(thing, type):
        return _is_projects_class(thing) if group != LIBRARIES else left == _LIBRARY_DEPTH_AT_MOST
    if kind is FunctionType:
        mine = owner(thing.__code__.co_filename) is APPLICATION
        return mine or (group != LIBRARIES and thing.__closure__ is not None)
    if group == LIBRARIES:
        return kind_of(thing) is not INSTANCE or left == _LIBRARY_DEPTH_AT_MOST
    return True


def _is_project(module: ModuleType) -> bool:
    file = held_by(module).get("__file__")
    return type(file) is str and owner(file) is APPLICATION


def _is_projects_class(kind: type) -> bool:
    module = sys.modules.get(module_of(kind))
    return module is not None and is_a(module, ModuleType) and _is_project(module)


def _compared(group: str, holder: Holder, before: Entries, after: Entries) -> Iterator[Difference]:
    gone = {label: value for label, value in before.items() if differ(value, after.get(label, ABSENT))}
    come = [label for label in after if label not in before]
    for label, value in gone.items():
        yield Difference(holder.name + label, group, holder, label, value, after.get(label, ABSENT))
    for label in come:
        if not _is_submodule(holder, after[label]):
            yield Difference(holder.name + label, group, holder, label, ABSENT, after[label])


def _is_submodule(holder: Holder, value: Any) -> bool:
    """Return whether an entry is a submodule, which an import sets as an attribute of its package."""
    return holder.kind is MODULE and is_a(value, ModuleType)
