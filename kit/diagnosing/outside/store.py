"""The interface of every kind of database here: read its contents, and restore them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from kit.diagnosing.outside.contents import Contents, Left, differences

ROWS_AT_MOST = 20_000  # rows of one table that are kept
BYTES_AT_MOST = 32_000_000  # size of a database that is compared
SECONDS_AT_MOST = 20


class CannotBeAsked(Exception):
    """A database did not answer or does not permit an operation; the message is one line."""


class Store(Protocol):
    """One database. Each method raises CannotBeAsked."""

    def look(self) -> Contents:
        """Return its committed contents."""

    def put_back(self, before: Contents, labels: Collection[str] | None) -> None:
        """Restore what has these labels, and nothing else; None: everything."""


def as_far_as_possible(put_back: Callable[[Callable[[Left], bool]], None], labels: Collection[str] | None) -> None:
    """Restore all; if not all can be made again, what was not dropped or altered, and raise CannotBeAsked then, too.

    `put_back` restores the differences that it is told to choose.
    """
    try:
        put_back(lambda left: True)
    except CannotBeAsked:
        if labels is None or len(labels) > 1:
            put_back(lambda left: not left.is_made_again)
        raise


def check_exact(before: Contents, then: Contents, now: Contents, wanted: Collection[Left]) -> None:
    """Raise CannotBeAsked unless exactly what was wanted is as it was `before`; `then` is how all was until now.

    What is made again may take away what depended on it. Nothing is concluded from such a run.
    """
    mine = {left.label for left in wanted}
    schemas = tuple(f"{left.name}." for left in wanted if left.kind == "schema")
    expected = {left for left in differences(before, then) if not (schemas and left.name.startswith(schemas))}
    found = {left for left in differences(before, now) if not (schemas and left.name.startswith(schemas))}
    stayed = {left.label for left in found} & mine
    changed = {left.label for left in (expected ^ found) if left.label not in mine}
    if stayed or changed:
        raise CannotBeAsked(f"{', '.join(sorted(stayed or changed))} would not be as before")
