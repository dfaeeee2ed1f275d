"""The content of an entry of state: how it is stored, compared and restored."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional

from ..objects import address, module_of
from ..own import gc, itertools
from ..own import own_builtins as __builtins__  # noqa: F401

ABSENT: Any = object()
Entries = Dict[str, Any]  # label (a suffix to the holder's name) -> value
LENGTH_AT_MOST = 20_000  # entries of one container that are read

_SIMPLE = frozenset((int, str, bytes, float, bool, complex, type(None), type(Ellipsis), range, slice))
_SIMPLE_MODULES = frozenset(("datetime", "decimal", "uuid", "fractions", "pathlib"))  # modules of immutable values


class Kind(NamedTuple):
    """A kind of holder. `write` restores one entry; ABSENT removes it.

    `remember` returns what `restore` needs to know of the holder's former state. `asker` returns a function that reads
    one entry and is called many times; it does not read the others.
    """

    read: Callable[[Any], Entries]
    write: Callable[[Any, str, Any], None]
    remember: Optional[Callable[[Any], Any]] = None
    restore: Optional[Callable[[Any, str, Any, Any], None]] = None
    asker: Optional[Callable[[Any, str], Callable[[], Any]]] = None


class Holder(NamedTuple):
    """An object that holds state, its name, its kind, and what `remember` returned for it."""

    name: str
    thing: Any
    kind: Kind
    memory: Any = None

    def remembered(self) -> "Holder":
        """Return a copy with the holder's current state remembered, for a later restore."""
        return self._replace(memory=self.kind.remember(self.thing)) if self.kind.remember else self

    def asker(self, label: str) -> Callable[[], Any]:
        """Return a function that reads one entry."""
        if self.kind.asker is not None:
            return self.kind.asker(self.thing, label)
        read, thing = self.kind.read, self.thing
        return lambda: read(thing).get(label, ABSENT)

    def put_back(self, label: str, value: Any) -> None:
        """Restore an entry; ABSENT removes it."""
        if self.kind.restore is not None and self.memory is not None:
            self.kind.restore(self.thing, label, value, self.memory)
        else:
            self.kind.write(self.thing, label, value)


class Content:
    """The content of a container without keys, compared by the identity of its values, without their `__eq__`."""

    __slots__ = ("tokens", "values")

    def __init__(self, values: List[Any], is_ordered: bool = True) -> None:
        self.values = values
        self.tokens = [token(value) for value in values] if is_ordered else frozenset(map(token, values))


class Parts:
    """The content of a container by identity only: cheap enough to be read before each line that runs."""

    __slots__ = ("parts",)

    def __init__(self, values: Iterable[Any], is_ordered: bool = True) -> None:
        self.parts: Any = tuple(map(address, values)) if is_ordered else frozenset(map(address, values))


class Counter:
    """A copy of an `itertools.count`, which cannot be read without advancing it."""

    __slots__ = ("copied", "text")

    def __init__(self, count: Any) -> None:
        self.text = itertools.count.__repr__(count)
        # The numbers are taken from the repr, since __reduce__ is deprecated from Python 3.12 on, and gone in 3.14.
        numbers = self.text[len("count("):-1].split(", ")
        self.copied: Any = itertools.count(*(float(one) if set(one) & set(".en") else int(one) for one in numbers))

    @staticmethod
    def can_be(value: Any) -> bool:
        """Return whether a value is a count of int or float, whose repr runs no code of the program."""
        return type(value) is itertools.count and all(
            type(one) in (int, float) or one is itertools.count for one in gc.get_referents(value)
        )


def frozen(value: Any) -> Any:
    """Return a value that does not change: a copy of an `itertools.count`, anything else as it is."""
    return Counter(value) if Counter.can_be(value) else value


def thawed(value: Any) -> Any:
    """Return the value to restore for what `frozen` returned."""
    return value.copied if type(value) is Counter else value


def is_simple(value: Any) -> bool:
    """Return whether a value is immutable, and comparable without running the program's code."""
    kind = type(value)
    if kind in _SIMPLE or module_of(kind).partition(".")[0] in _SIMPLE_MODULES:
        return True
    return kind in (tuple, frozenset) and all(is_simple(part) for part in value)


def token(value: Any) -> Any:
    """Return a key for comparisons: of a simple value its type and itself, of another its address."""
    if type(value) is Content:
        return tuple(value.tokens) if type(value.tokens) is list else value.tokens
    if type(value) is Parts:
        return value.parts
    if type(value) is Counter:
        return value.text
    if type(value) is itertools.count:
        return itertools.count.__repr__(value)
    return (type(value), value) if is_simple(value) and type(value) is not slice else address(value)


def differ(before: Any, after: Any) -> bool:
    """Return whether an entry has changed; a NaN is equal to itself."""
    return before is not after and token(before) != token(after)
