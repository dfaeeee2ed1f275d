"""The kinds of objects that hold state: how their content is read, and how an entry is restored."""

from __future__ import annotations

from contextvars import ContextVar
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..objects import bases, held_by, is_a, module_of, space_of, takes_attributes
from ..own import collections, functools, threading
from ..own import own_builtins as __builtins__  # noqa: F401
from .mappings import MAPPING
from .values import ABSENT, LENGTH_AT_MOST, Content, Entries, Kind, Parts, thawed

deque = collections.deque

LOCAL_HELD = threading.local.__getattribute__  # called with "__dict__": this thread's dict of a `threading.local`

_SUBCLASSES: Callable[[type], List[type]] = type.__subclasses__
_PARENTS: Callable[[type], Tuple[type, ...]] = vars(type)["__bases__"].__get__

_NOT_STATE = frozenset((
    "__builtins__", "__cached__", "__dict__", "__weakref__", "__doc__", "__loader__", "__spec__", "__file__",
    "__warningregistry__", "_abc_impl", "__abstractmethods__", "__pycache__", "__annotations__", "__annotate_func__",
    "__annotations_cache__", "__static_attributes__", "__firstlineno__", "__slotnames__",
))  # fmt: skip


def kind_of(thing: Any) -> Optional[Kind]:
    """Return the kind of an object; None if it holds no state that can be read without running its code."""
    if is_a(thing, dict):
        return MAPPING
    if is_a(thing, set):
        return SET
    if is_a(thing, (list, deque, bytearray)):
        return SEQUENCE
    if is_a(thing, ModuleType):
        return MODULE
    if is_a(thing, type):
        return CLASS
    if type(thing) is FunctionType:
        return FUNCTION
    if type(thing) is functools._lru_cache_wrapper:
        return CACHE
    if is_a(thing, threading.local):
        return LOCAL
    if type(thing) is ContextVar:
        return VARIABLE
    if any(module_of(base) == "_random" for base in bases(type(thing))):
        return RANDOM
    return INSTANCE if takes_attributes(thing) or _slots(thing) else None


# --- lists, sets ------------------------------------------------------------------------------------------------------


def _read_sequence(sequence: Any) -> Entries:
    return {"": Content(list(_iterator(sequence))[:LENGTH_AT_MOST])}


def _iterator(sequence: Any) -> Any:
    kind = next(base for base in (list, deque, bytearray, set) if is_a(sequence, base))
    return kind.__iter__(sequence)


def _write_sequence(sequence: Any, label: str, value: Content) -> None:
    if is_a(sequence, deque):
        deque.clear(sequence)
        deque.extend(sequence, value.values)
    else:
        kind: Any = list if is_a(sequence, list) else bytearray
        kind.__setitem__(sequence, slice(None), value.values)


def _read_set(values: Any) -> Entries:
    return {"": Content(list(set.__iter__(values))[:LENGTH_AT_MOST], is_ordered=False)}


def _write_set(values: Any, label: str, value: Content) -> None:
    set.clear(values)
    set.update(values, value.values)


# --- modules, classes, objects ----------------------------------------------------------------------------------------


def _named(space: Any) -> Entries:
    return {
        f".{name}": value for name, value in list(space.items())[:LENGTH_AT_MOST]
        if type(name) is str and name not in _NOT_STATE and not name.startswith("@")
    }


def _read_module(module: ModuleType) -> Entries:
    return _named(held_by(module))


def _write_held(thing: Any, label: str, value: Any) -> None:
    held = held_by(thing)
    if value is ABSENT:
        held.pop(label[1:], None)
    else:
        held[label[1:]] = thawed(value)


def _held_asker(thing: Any, label: str) -> Callable[[], Any]:
    held, name = held_by(thing), label[1:]
    return lambda: held.get(name, ABSENT)


def _class_asker(kind: type, label: str) -> Callable[[], Any]:
    space, name = space_of(kind), label[1:]
    return lambda: space.get(name, ABSENT)


def _instance_asker(thing: Any, label: str) -> Callable[[], Any]:
    slot, held, name = _slots(thing).get(label), held_by(thing), label[1:]
    if slot is None:
        return _held_asker(thing, label)

    def ask() -> Any:
        try:
            return held[name] if name in held else slot.__get__(thing)
        except AttributeError:  # it is empty
            return ABSENT
    return ask


def _read_class(kind: type) -> Entries:
    return _named(space_of(kind))


def _write_class(kind: type, label: str, value: Any) -> None:
    if value is ABSENT:
        type.__delattr__(kind, label[1:])
    else:
        type.__setattr__(kind, label[1:], thawed(value))


class _LetGo:
    """Replaces a base class in subclasses that were created since the snapshot."""


def _read_subclasses(kind: type) -> Entries:
    return {"": Content(_SUBCLASSES(kind), is_ordered=False)}


def _write_subclasses(kind: type, label: str, value: Content) -> None:
    """Remove the subclasses that were created since the snapshot; one that was deleted cannot be restored."""
    for derived in _SUBCLASSES(kind):
        if not any(derived is one for one in value.values):
            parents = tuple(_LetGo if base is kind else base for base in _PARENTS(derived))
            type.__setattr__(derived, "__bases__", parents)


def _slots(thing: Any) -> Dict[str, Any]:
    return {
        f".{name}": slot for base in bases(type(thing)) if module_of(base) != "builtins"
        for name, slot in space_of(base).items() if type(slot) is MemberDescriptorType
    }


def _read_instance(thing: Any) -> Entries:
    found = _named(held_by(thing))
    for label, slot in _slots(thing).items():
        try:
            found.setdefault(label, slot.__get__(thing))
        except AttributeError:  # it is empty
            continue
    return found


def _write_instance(thing: Any, label: str, value: Any) -> None:
    slot = _slots(thing).get(label)
    if slot is None or label[1:] in held_by(thing):
        _write_held(thing, label, value)
    elif value is ABSENT:
        slot.__delete__(thing)
    else:
        slot.__set__(thing, value)


def _read_local(local: Any) -> Entries:
    return _named(LOCAL_HELD(local, "__dict__"))


def _write_local(local: Any, label: str, value: Any) -> None:
    if value is ABSENT:
        LOCAL_HELD(local, "__dict__").pop(label[1:], None)
    else:
        LOCAL_HELD(local, "__dict__")[label[1:]] = value


def _read_variable(variable: "ContextVar[Any]") -> Entries:
    try:
        return {"": variable.get()}  # its default, if it has one, which can be set
    except LookupError:
        return {"": ABSENT}


def _write_variable(variable: "ContextVar[Any]", label: str, value: Any) -> None:
    if value is not ABSENT:  # only the token of its first `set` could unset it
        variable.set(value)


# --- functions --------------------------------------------------------------------------------------------------------


def _read_function(function: FunctionType) -> Entries:
    found = _named(held_by(function))
    for number, value in enumerate(function.__defaults__ or ()):
        found[f" (default {number})"] = value
    for name, value in (function.__kwdefaults__ or {}).items():
        found[f" (default {name})"] = value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            found[f" (closure {name})"] = cell.cell_contents
        except ValueError:  # it is empty
            continue
    return found


def _write_function(function: FunctionType, label: str, value: Any) -> None:
    if label.startswith("."):
        _write_held(function, label, value)
    elif label.startswith(" (closure ") and value is not ABSENT:
        name = label[len(" (closure "):-1]
        (function.__closure__ or ())[function.__code__.co_freevars.index(name)].cell_contents = value


def _read_random(numbers: Any) -> Entries:
    return {"": _random(numbers).getstate(numbers)}


def _write_random(numbers: Any, label: str, value: Any) -> None:
    _random(numbers).setstate(numbers, value)


def _random(numbers: Any) -> Any:
    return next(base for base in bases(type(numbers)) if module_of(base) == "_random")


def _read_cache(function: Any) -> Entries:
    filled = function.cache_info()
    return {"": (filled.misses, filled.currsize)}


def _write_cache(function: Any, label: str, value: Tuple[int, int]) -> None:
    function.cache_clear()  # its entries are computed again on demand


SEQUENCE = Kind(_read_sequence, _write_sequence, asker=lambda thing, label: lambda: Parts(_iterator(thing)))
SET = Kind(_read_set, _write_set, asker=lambda thing, label: lambda: Parts(_iterator(thing), is_ordered=False))
MODULE = Kind(_read_module, _write_held, asker=_held_asker)
CLASS = Kind(_read_class, _write_class, asker=_class_asker)
SUBCLASSES = Kind(
    _read_subclasses, _write_subclasses,
    asker=lambda kind, label: lambda: Parts(_SUBCLASSES(kind), is_ordered=False),
)  # fmt: skip
INSTANCE = Kind(_read_instance, _write_instance, asker=_instance_asker)
FUNCTION = Kind(_read_function, _write_function)
CACHE = Kind(_read_cache, _write_cache)
LOCAL = Kind(_read_local, _write_local)
VARIABLE = Kind(_read_variable, _write_variable)
RANDOM = Kind(_read_random, _write_random)
