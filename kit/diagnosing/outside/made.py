"""Roles and databases that a run itself creates on a server: only these are dropped again.

A run says which one it is about to create. It counts as the run's own if it was not there at that moment, and is there
afterwards; it is dropped by that name only as long as the server has the same one, by its number (oid), under it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from kit.diagnosing.outside.postgres import Postgres
from kit.diagnosing.outside.store import CannotBeAsked
from kit.probes.stable import stable

_KINDS = ("database", "role")  # in the order in which they are dropped: a role may own a database


@dataclass
class Made:
    """One role or database that a run created. `oid` is None until it is known that the statement succeeded."""

    store: Postgres
    kind: str
    name: str
    oid: str | None = None

    @property
    def place(self) -> str:
        """Its kind and name, as reports show it."""
        return f"{self.kind} {stable(self.name)}"


@dataclass
class MadeByRuns:
    """What the runs of a diagnosis have created. `say` is told what cannot be dropped, and why."""

    say: Callable[[str, str], None]
    _known: dict[tuple[str, str, str], Made] = field(default_factory=dict)
    _before: frozenset[tuple[str, str, str]] = frozenset()

    def creates(self, key: str, store: Postgres, kind: str, name: str) -> None:
        """A run is about to create one by a connection to the database `key`; one that is there is another's."""
        if kind in _KINDS and _oid(store, kind, name) == "":
            self._known[key, kind, name] = Made(store, kind, name)

    def begins(self) -> None:
        """What is there now is no difference later."""
        self._look()
        self._before = frozenset(self._known)

    def places(self) -> list[str]:
        """What was created since `begins`, and is there."""
        self._look()
        return sorted({made.place for where, made in self._known.items() if where not in self._before})

    def all_places(self) -> list[str]:
        """All that the runs so far have created, and is there."""
        self._look()
        return sorted({made.place for made in self._known.values()})

    def drop(self, places: Collection[str]) -> None:
        """Drop what was created since `begins` and has one of these places."""
        self._drop(where for where, made in self._known.items() if where not in self._before and made.place in places)

    def drop_all(self) -> None:
        """Drop all that the runs so far have created."""
        self._look()
        self._drop(iter(self._known))
        self._before = frozenset()

    def _look(self) -> None:
        """Forget what is not there, or is another one by now."""
        for where, made in list(self._known.items()):
            oid = _oid(made.store, made.kind, made.name)
            if oid is not None and (not oid or made.oid not in (None, oid)):
                del self._known[where]
            elif oid:
                made.oid = oid

    def _drop(self, chosen: Iterator[tuple[str, str, str]]) -> None:
        for where in sorted(chosen, key=lambda where: _KINDS.index(where[1])):
            made = self._known[where]
            try:
                made.store.drop(made.kind, made.name, made.oid or "")
                del self._known[where]
            except CannotBeAsked as error:
                self.say(made.place, str(error))


def _oid(store: Postgres, kind: str, name: str) -> str | None:
    """The number of a role or database; "" if there is none, None if the server cannot be asked."""
    try:
        return store.oid_of(kind, name)
    except CannotBeAsked:
        return None
