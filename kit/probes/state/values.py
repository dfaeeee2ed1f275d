"""What an entry of state holds: how its value is kept, compared, and given back."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional

from ..objects import address, module_of
from ..own import gc, itertools
from ..own import own_builtins as __builtins__  # noqa: F401

ABSENT: Any = object()
Entries = Dict[str, Any]  # an entry's label, as it is written behind its holder's name -> what it holds
LENGTH_AT_MOST = 20_000  # entries of one container that are looked at

_SIMPLE = frozenset((int, str, bytes, float, bool, complex, type(None), type(Ellipsis), range, slice))
_SIMPLE_MODULES = frozenset(("datetime", "decimal", "uuid", "fractions", "pathlib"))  # whose values only say themselves


class Kind(NamedTuple):
    """A way to hold state. `write` puts one entry back; with ABSENT it takes the entry away.

    `remember` returns what has to be known of a holder as it was to put an entry back, and `restore` is given it.
    `asker` returns a function that tells what an entry holds at a moment, for many moments: it does not read the rest.
    """

    read: Callable[[Any], Entries]
    write: Callable[[Any, str, Any], None]
    remember: Optional[Callable[[Any], Any]] = None
    restore: Optional[Callable[[Any, str, Any, Any], None]] = None
    asker: Optional[Callable[[Any, str], Callable[[], Any]]] = None


class Holder(NamedTuple):
    """Something that holds state: what it is called, the thing, how it is read and written, what is remembered."""

    name: str
    thing: Any
    kind: Kind
    memory: Any = None

    def remembered(self) -> "Holder":
        """Return it with what has to be known of it, as it is now, to put an entry back later on."""
        return self._replace(memory=self.kind.remember(self.thing)) if self.kind.remember else self

    def asker(self, label: str) -> Callable[[], Any]:
        """Return a function that tells what an entry holds at a moment."""
        if self.kind.asker is not None:
            return self.kind.asker(self.thing, label)
        read, thing = self.kind.read, self.thing
        return lambda: read(thing).get(label, ABSENT)

    def put_back(self, label: str, value: Any) -> None:
        """Let an entry hold a value again; ABSENT takes it away."""
        if self.kind.restore is not None and self.memory is not None:
            self.kind.restore(self.thing, label, value, self.memory)
        else:
            self.kind.write(self.thing, label, value)


class Content:
    """What a container without keys holds, by the identity of its values: equality is not asked of them."""

    __slots__ = ("tokens", "values")

    def __init__(self, values: List[Any], is_ordered: bool = True) -> None:
        self.values = values
        self.tokens = [token(value) for value in values] if is_ordered else frozenset(map(token, values))


class Parts:
    """What a container holds at a moment, by the identity of its values alone: read before each line that runs."""

    __slots__ = ("parts",)

    def __init__(self, values: Iterable[Any], is_ordered: bool = True) -> None:
        self.parts: Any = tuple(map(address, values)) if is_ordered else frozenset(map(address, values))


class Counter:
    """An `itertools.count` as it was: asking it for its number would count on."""

    __slots__ = ("copied", "text")

    def __init__(self, count: Any) -> None:
        self.text = itertools.count.__repr__(count)
        # Its __reduce__, which has the numbers, too, warns since Python 3.12, and is gone with 3.14.
        numbers = self.text[len("count("):-1].split(", ")
        self.copied: Any = itertools.count(*(float(one) if set(one) & set(".en") else int(one) for one in numbers))

    @staticmethod
    def can_be(value: Any) -> bool:
        """Tell whether a value is a count of plain numbers, which ask nothing of the program's code."""
        return type(value) is itertools.count and all(
            type(one) in (int, float) or one is itertools.count for one in gc.get_referents(value)
        )


def frozen(value: Any) -> Any:
    """Return a value that stays as it is; one that is counted on in place is copied."""
    return Counter(value) if Counter.can_be(value) else value


def thawed(value: Any) -> Any:
    """Return a value as it is restored."""
    return value.copied if type(value) is Counter else value


def is_simple(value: Any) -> bool:
    """Tell whether a value holds nothing that can change, and can be compared without asking the program's code."""
    kind = type(value)
    if kind in _SIMPLE or module_of(kind).partition(".")[0] in _SIMPLE_MODULES:
        return True
    return kind in (tuple, frozenset) and all(is_simple(part) for part in value)


def token(value: Any) -> Any:
    """Return what tells a value from another: itself, if it is simple, else where it is."""
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
    """Tell whether an entry holds something else than before; a float that is no number is the same as itself."""
    return before is not after and token(before) != token(after)
