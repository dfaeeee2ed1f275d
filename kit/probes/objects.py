"""The program's objects: their names in the record, and their contents, without calling any of their code.

Nothing is kept alive for it either: an object is known by its address, as long as it is the same one.
"""

from __future__ import annotations

from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Callable, Dict, Generic, Iterator, List, Optional, Tuple, TypeVar
from weakref import ReferenceType, ref

from .own import itertools, os
from .own import own_builtins as __builtins__  # noqa: F401

# What `id` returns, in another form: `id` raises an event of the interpreter's audit, which takes longer than itself.
address: Callable[[Any], int] = object.__hash__

Value = TypeVar("Value")

_NOTES_AT_MOST = 50_000  # of objects that cannot be pointed at, whose end is not heard of
_ABSENT = object()
_MRO: Callable[[type], Tuple[type, ...]] = vars(type)["__mro__"].__get__
_SPACE: Callable[[type], Any] = vars(type)["__dict__"].__get__
_MODULE: Callable[[type], Any] = vars(type)["__module__"].__get__
_QUALNAME: Callable[[type], str] = vars(type)["__qualname__"].__get__


class Objects:
    """Gives each object a name of its kind, unique over all processes: a forked child goes on with its parent's."""

    def __init__(self) -> None:
        self._counts: Dict[str, Iterator[int]] = {}
        self._known: Dict[Tuple[str, int], Tuple[Optional["ReferenceType[Any]"], str]] = {}

    def number(self, kind: str) -> str:
        """Return the next name of a kind."""
        count = self._counts.get(kind)
        if count is None:
            count = self._counts.setdefault(kind, itertools.count(1))
        return f"{os.getpid()}:{next(count)}"

    def new(self, kind: str, thing: Any) -> str:
        """Name an object that has just been made; what was known under its id was another, which is gone."""
        number = self.number(kind)
        self._known[kind, address(thing)] = pointer_to(thing), number
        return number

    def of(self, kind: str, thing: Any) -> Optional[str]:
        """Return the name of an object; None where it has none."""
        known = self._known.get((kind, address(thing)))
        if known is None or (known[0] is not None and known[0]() is not thing):
            return None
        return known[1]


class Notes(Generic[Value]):
    """What is known of some objects, by which object it is: whether two are equal is not asked of them.

    At the moment at which an object goes, no line of Python runs for it: that can be in the middle of anything, and at
    the end of the stack. Its pointer is put on a list, and looked after with the next object.
    """

    def __init__(self) -> None:
        self._known: Dict[int, Tuple[Optional["ReferenceType[Any]"], Value]] = {}
        self._gone: List["ReferenceType[Any]"] = []
        self._places: Dict[int, int] = {}  # the address of a pointer -> of what it pointed at

    def get(self, thing: Any) -> Optional[Value]:
        """Return what is known of an object; None where nothing is."""
        known = self._known.get(address(thing))
        if known is None or (known[0] is not None and known[0]() is not thing):
            return None
        return known[1]

    def set(self, thing: Any, value: Value) -> None:
        """Know something of an object from now on, as long as it is there."""
        self.forget_those_that_are_gone()
        if len(self._known) > _NOTES_AT_MOST:
            self._known.clear()
            self._places.clear()
        where, pointer = address(thing), pointer_to(thing, self._gone.append)
        self._known[where] = pointer, value
        if pointer is not None:
            self._places[address(pointer)] = where

    def pop(self, thing: Any) -> Optional[Value]:
        """Return what is known of an object, and know it no longer."""
        value = self.get(thing)
        self._known.pop(address(thing), None)
        return value

    def forget_those_that_are_gone(self) -> List[Value]:
        """Return what was known of objects that have gone since this was last asked."""
        found = []
        while self._gone:
            pointer = self._gone.pop()
            where = self._places.pop(address(pointer), None)
            if where is not None and self._known.get(where, (None,))[0] is pointer:  # else another is in its place
                found.append(self._known.pop(where)[1])
        return found


def pointer_to(thing: Any, gone: Any = None) -> Optional["ReferenceType[Any]"]:
    """Return a pointer to an object; None for one of a kind that cannot be pointed at."""
    try:
        return ref(thing, gone)
    except TypeError:
        return None


def bases(kind: type) -> Tuple[type, ...]:
    """Return a class and those that it is derived from, whatever its own class says of it.

    One of the interpreter's own that was never made ready has no such order (`unicodedata.UCD` before Python 3.10).
    """
    return _MRO(kind) or (kind,)


def space_of(kind: type) -> Any:
    """Return what a class itself holds; nothing of one that was never made ready."""
    return _SPACE(kind) or {}


def module_of(kind: type) -> str:
    """Return the name of the module that a class says it is of."""
    try:
        found = _MODULE(kind)
    except AttributeError:
        return "?"
    return found if type(found) is str else "?"


def qualname_of(kind: type) -> str:
    """Return a class's name, with those of the classes and functions around it."""
    return _QUALNAME(kind)


def name_of(kind: type) -> str:
    """Return a class's name with its module, as `module.Class`."""
    return f"{module_of(kind)}.{_QUALNAME(kind)}"


def is_a(thing: Any, kind: Any) -> bool:
    """Tell whether an object is of a kind, by its class. (`isinstance` asks the object too.)"""
    return issubclass(type(thing), kind)


def held_by(thing: Any) -> Dict[str, Any]:
    """Return the attributes that an object holds itself; none where they are not to be had without calling it."""
    for base in bases(type(thing)):
        space = space_of(base).get("__dict__")
        if space is not None:
            if type(space) not in (GetSetDescriptorType, MemberDescriptorType):  # the class has its own idea of it
                return {}
            held = space.__get__(thing)
            return held if type(held) is dict else {}
    return {}


def takes_attributes(thing: Any) -> bool:
    """Tell whether an object can hold attributes itself, though it holds none yet."""
    for base in bases(type(thing)):
        space = space_of(base).get("__dict__")
        if space is not None:
            return type(space) in (GetSetDescriptorType, MemberDescriptorType)
    return False


def attribute(thing: Any, name: str, default: Any = None) -> Any:
    """Return what an object or its class holds under a name. What would have to be called for it is left."""
    value = held_by(thing).get(name, _ABSENT)
    if value is not _ABSENT:
        return value
    for base in bases(type(thing)):
        value = space_of(base).get(name, _ABSENT)
        if value is _ABSENT:
            continue
        if type(value) is MemberDescriptorType:  # one of __slots__
            try:
                return value.__get__(thing)
            except AttributeError:
                return default
        return default if hasattr(type(value), "__get__") else value
    return default


def text_of(value: Any) -> Optional[str]:
    """Return a text as it is; None for everything else."""
    return str.__str__(value) if is_a(value, str) else None


def look_up(held: Any, key: Any) -> Any:
    """Return what a dictionary has for a key. A key is asked what it equals only where it has its own idea of that."""
    if not is_a(held, dict):
        return None
    for one, value in list(dict.items(held)):
        if one is key:
            return value
    return dict.get(held, key) if _compares(type(key)) else None


def _compares(kind: type) -> bool:
    equal, hashed = (
        next(base for base in bases(kind) if name in space_of(base)) for name in ("__eq__", "__hash__")
    )
    return equal is not object and space_of(hashed)["__hash__"] is not None


def path_of(value: Any) -> Optional[str]:
    """Return a path as text; None for an object that would have to be called for it (`__fspath__`)."""
    if is_a(value, bytes):
        return os.fsdecode(bytes.__getitem__(value, slice(None)))
    if module_of(type(value)).partition(".")[0] == "pathlib":
        return str(value)
    return text_of(value)
