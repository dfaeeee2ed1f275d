"""Dictionaries: labels for their entries, and how an entry is restored in its place.

A key is hashed only if its class has a `__hash__` of the interpreter or the enum module.
"""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import Any, Callable, Dict, List, Optional
from weakref import ref as weakref

from ..objects import bases, held_by, is_a, module_of, name_of, qualname_of, space_of
from ..own import collections
from ..own import own_builtins as __builtins__  # noqa: F401
from .values import ABSENT, LENGTH_AT_MOST, Entries, Kind, is_simple, thawed

_ADDRESSES_FROM = 0xFFFF
_THEIR_OWN_HASH = frozenset(("builtins", "enum"))  # classes of these compare without running the program's code


def label_of(key: Any, value: Any = None) -> Optional[str]:
    """Return a label for a key; None for a key that only its own code can compare.

    A number that is the address of its value, by which signals know their receivers, differs from run to run, and the
    value's name does not.
    """
    if type(key) is int and key > _ADDRESSES_FROM:
        mine = _referent(value)
        if id(mine) == key:
            named = label_of(mine) or f"[<{name_of(type(mine))}>]"
            return f"[id({named[1:-1]})]"
    if is_simple(key):
        return f"[{key!r}]"
    if is_a(key, type):
        return f"[{module_of(key)}.{qualname_of(key)}]"
    if type(key) is FunctionType:
        return f"[{key.__module__}.{key.__qualname__}]"
    if not _compares_by_identity(type(key)):
        return None
    member = held_by(key).get("_name_") if any(module_of(base) == "enum" for base in bases(type(key))) else None
    return f"[{qualname_of(type(key))}.{member}]" if type(member) is str else f"[<{name_of(type(key))}>]"


def _referent(value: Any) -> Any:
    """Return what a weak reference refers to, the function of a method, and any other value itself."""
    if type(value) is MethodType:
        return value.__func__
    return weakref.__call__(value) if type(value) is weakref else value


def keys_of(mapping: Dict[Any, Any]) -> Dict[str, Any]:
    """Return {label: key} in the dict's order; repeated labels are numbered from the second on."""
    keys: Dict[str, Any] = {}
    numbers: Dict[str, int] = {}
    for key in list(_family(mapping).keys(mapping))[:LENGTH_AT_MOST]:
        label = label_of(key, dict.get(mapping, key))
        if label is None:
            continue
        numbers[label] = numbers.get(label, 0) + 1
        keys[label if numbers[label] == 1 else f"{label[:-1]} {numbers[label]}]"] = key
    return keys


def _compares_by_identity(kind: type) -> bool:
    return all(
        module_of(next(base for base in bases(kind) if name in space_of(base))) in _THEIR_OWN_HASH
        for name in ("__eq__", "__hash__")
    )


def _family(mapping: Dict[Any, Any]) -> Any:
    """Return the class whose methods have to be used: an OrderedDict stores its order separately."""
    return collections.OrderedDict if is_a(mapping, collections.OrderedDict) else dict


def _read(mapping: Dict[Any, Any]) -> Entries:
    return {label: dict.get(mapping, key, ABSENT) for label, key in keys_of(mapping).items()}


def _write(mapping: Dict[Any, Any], label: str, value: Any) -> None:
    _restore(mapping, label, value, keys_of(mapping))


def _restore(mapping: Dict[Any, Any], label: str, value: Any, keys: Dict[str, Any]) -> None:
    """Restore an entry; one that was removed returns to its former position."""
    known = label in keys
    key = keys[label] if known else keys_of(mapping).get(label, ABSENT)
    if key is ABSENT:
        return
    is_there = dict.__contains__(mapping, key)
    if value is not ABSENT:
        _family(mapping).__setitem__(mapping, key, thawed(value))
        if not is_there:
            _put_in_order(mapping, keys)
    elif is_there:
        _family(mapping).__delitem__(mapping, key)


def _put_in_order(mapping: Dict[Any, Any], keys: Dict[str, Any]) -> None:
    """Reorder the entries like `keys`, followed by all others."""
    family = _family(mapping)
    wanted = [key for key in keys.values() if dict.__contains__(mapping, key)]
    others = [key for label, key in keys_of(mapping).items() if label not in keys]
    for key in (*wanted, *others):
        value = dict.get(mapping, key)
        family.__delitem__(mapping, key)
        family.__setitem__(mapping, key, value)


def _asker(mapping: Dict[Any, Any], label: str) -> Callable[[], Any]:
    """Return a function that reads one entry; a missing key is searched for again when the dict's last key changes."""
    key = keys_of(mapping).get(label, ABSENT)
    seen: List[Any] = [key, None, -1]  # the key; the last key and the length at the last search

    def ask() -> Any:
        if seen[0] is ABSENT:
            latest, number = next(dict.__reversed__(mapping), None), dict.__len__(mapping)
            if latest is not seen[1] or number != seen[2]:
                seen[:] = keys_of(mapping).get(label, ABSENT), latest, number
        return ABSENT if seen[0] is ABSENT else dict.get(mapping, seen[0], ABSENT)

    return ask


MAPPING = Kind(_read, _write, keys_of, _restore, _asker)
