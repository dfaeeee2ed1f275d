"""Names for objects: what is what in the record, though nothing of the program's is kept alive for it."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Optional, Tuple
from weakref import ReferenceType, ref

from .own import itertools, os
from .own import own_builtins as __builtins__  # noqa: F401

# What `id` returns, in another form: `id` raises an event of the interpreter's audit, which takes longer than itself.
address: Callable[[Any], int] = object.__hash__


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
        try:
            pointer: Optional["ReferenceType[Any]"] = ref(thing)
        except TypeError:  # of a kind that cannot be pointed at
            pointer = None
        number = self.number(kind)
        self._known[kind, address(thing)] = pointer, number
        return number

    def of(self, kind: str, thing: Any) -> Optional[str]:
        """Return the name of an object; None where it has none."""
        known = self._known.get((kind, address(thing)))
        if known is None or (known[0] is not None and known[0]() is not thing):
            return None
        return known[1]
