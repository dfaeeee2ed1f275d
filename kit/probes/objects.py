"""The program's objects: their names in the record, and their contents, without running any of their code.

No object is kept alive: it is known by its address, confirmed by a weak reference where its type supports one.
"""

from __future__ import annotations

from types import GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any, Callable, Dict, Generic, Iterator, List, Optional, Tuple, TypeVar
from weakref import ReferenceType, ref

from .own import itertools, os
from .own import own_builtins as __builtins__  # noqa: F401

# A faster `id`: that one raises an audit event.
address: Callable[[Any], int] = object.__hash__

Value = TypeVar("Value")

_NOTES_AT_MOST = 50_000  # beyond it all are dropped, since those without weak references would pile up
_ABSENT = object()
_MRO: Callable[[type], Tuple[type, ...]] = vars(type)["__mro__"].__get__
_SPACE: Callable[[type], Any] = vars(type)["__dict__"].__get__
_MODULE: Callable[[type], Any] = vars(type)["__module__"].__get__
_QUALNAME: Callable[[type], str] = vars(type)["__qualname__"].__get__
_OF_A_MODULE = vars(ModuleType)["__getattribute__"]
_HELD_BY_A_MODULE: Callable[[ModuleType], Any] = vars(ModuleType)["__dict__"].__get__


class Objects:
    """Numbers the objects of each kind, unique over all processes: a forked child continues its parent's numbers."""

    def __init__(self) -> None:
        self._counts: Dict[str, Iterator[int]] = {}
        self._known: Dict[Tuple[str, int], Tuple[Optional["ReferenceType[Any]"], str]] = {}

    def number(self, kind: str) -> str:
        """Return the next number of a kind, as `pid:count`."""
        count = self._counts.get(kind)
        if count is None:
            count = self._counts.setdefault(kind, itertools.count(1))
        return f"{os.getpid()}:{next(count)}"

    def new(self, kind: str, thing: Any) -> str:
        """Number an object that has just been made; a previous object at this address no longer exists."""
        number = self.number(kind)
        self._known[kind, address(thing)] = pointer_to(thing), number
        return number

    def of(self, kind: str, thing: Any) -> Optional[str]:
        """Return the number of an object; None without one."""
        known = self._known.get((kind, address(thing)))
        if known is None or (known[0] is not None and known[0]() is not thing):
            return None
        return known[1]


class Notes(Generic[Value]):
    """A mapping with weak keys that compares keys by identity, without calling their `__hash__` or `__eq__`.

    The callback of a weak reference runs no Python code, since an object can be collected anywhere, even with an
    exhausted stack: it only appends to a list, which the next `set` clears up.
    """

    def __init__(self) -> None:
        self._known: Dict[int, Tuple[Optional["ReferenceType[Any]"], Value]] = {}
        self._gone: List["ReferenceType[Any]"] = []
        self._places: Dict[int, int] = {}  # address of a weak reference -> address of its object

    def get(self, thing: Any) -> Optional[Value]:
        """Return the value of an object; None without one."""
        known = self._known.get(address(thing))
        if known is None or (known[0] is not None and known[0]() is not thing):
            return None
        return known[1]

    def set(self, thing: Any, value: Value) -> None:
        """Set the value of an object, kept as long as the object exists."""
        self.remove_collected()
        if len(self._known) > _NOTES_AT_MOST:
            self._known.clear()
            self._places.clear()
        where, pointer = address(thing), pointer_to(thing, self._gone.append)
        self._known[where] = pointer, value
        if pointer is not None:
            self._places[address(pointer)] = where

    def pop(self, thing: Any) -> Optional[Value]:
        """Remove and return the value of an object; None without one."""
        value = self.get(thing)
        self._known.pop(address(thing), None)
        return value

    def addresses(self) -> Dict[int, Any]:
        """Return a mapping whose keys are the addresses of the objects, to look up many objects quickly.

        It tells the truth about objects that the caller has held since before the call, if each object with a value
        supports weak references: an address is given to another object only after this one was removed here.
        """
        self.remove_collected()
        return self._known

    def remove_collected(self) -> List[Value]:
        """Remove and return the values of objects collected since the last call."""
        found: List[Value] = []
        while self._gone:
            try:
                pointer = self._gone.pop()
            except IndexError:  # another thread took the last one
                break
            where = self._places.pop(address(pointer), None)
            if where is not None and self._known.get(where, (None,))[0] is pointer:  # else the address was reused
                found.append(self._known.pop(where)[1])
        return found


def pointer_to(thing: Any, gone: Any = None) -> Optional["ReferenceType[Any]"]:
    """Return a weak reference to an object; None if its type does not support them. `gone` is the callback."""
    try:
        return ref(thing, gone)
    except TypeError:
        return None


def bases(kind: type) -> Tuple[type, ...]:
    """Return the method resolution order of a class, whatever its metaclass answers.

    Just the class itself if that is None: a static type that was never readied (`unicodedata.UCD` before Python 3.10).
    """
    return _MRO(kind) or (kind,)


def space_of(kind: type) -> Any:
    """Return the namespace of a class itself; {} for a type that was never readied."""
    return _SPACE(kind) or {}


def module_of(kind: type) -> str:
    """Return the `__module__` of a class; "?" if that is no text."""
    try:
        found = _MODULE(kind)
    except AttributeError:
        return "?"
    return found if type(found) is str else "?"


def qualname_of(kind: type) -> str:
    """Return the qualified name of a class."""
    return _QUALNAME(kind)


def name_of(kind: type) -> str:
    """Return the name of a class as `module.Class`."""
    return f"{module_of(kind)}.{_QUALNAME(kind)}"


def is_a(thing: Any, kind: Any) -> bool:
    """Return whether an object's type is a subclass of `kind`. (`isinstance` would read its `__class__`, too.)"""
    return issubclass(type(thing), kind)


def held_by(thing: Any) -> Dict[str, Any]:
    """Return an object's `__dict__`; {} if it has none, or if reading it would run code."""
    if type(thing) is ModuleType:
        held = _HELD_BY_A_MODULE(thing)
        return held if type(held) is dict else {}
    for base in bases(type(thing)):
        space = space_of(base).get("__dict__")
        if space is not None:
            if type(space) not in (GetSetDescriptorType, MemberDescriptorType):  # the class overrides `__dict__`
                return {}
            held = space.__get__(thing)
            return held if type(held) is dict else {}
    return {}


def is_lazy(thing: Any) -> bool:
    """Return whether a module executes its code when an attribute is read, as one made by `LazyLoader` does.

    What it holds without that is in `held_by`.
    """
    if not is_a(thing, ModuleType):
        return False
    spaces = map(space_of, bases(type(thing)))
    return next(space["__getattribute__"] for space in spaces if "__getattribute__" in space) is not _OF_A_MODULE


def takes_attributes(thing: Any) -> bool:
    """Return whether an object has a regular `__dict__`, even an empty one."""
    for base in bases(type(thing)):
        space = space_of(base).get("__dict__")
        if space is not None:
            return type(space) in (GetSetDescriptorType, MemberDescriptorType)
    return False


def attribute(thing: Any, name: str, default: Any = None) -> Any:
    """Return an attribute of an object or its class without running code; `default` if missing or a descriptor."""
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
    """Return a str, of a subclass its plain text; None for anything else."""
    return str.__str__(value) if is_a(value, str) else None


def look_up(held: Any, key: Any) -> Any:
    """Return a dict's value for a key, by identity first; the key's `__eq__` runs only if its class defines one."""
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
    """Return a path as text; None for an object whose `__fspath__` would have to be called."""
    if is_a(value, bytes):
        return os.fsdecode(bytes.__getitem__(value, slice(None)))
    if module_of(type(value)).partition(".")[0] == "pathlib":
        return str(value)
    return text_of(value)
