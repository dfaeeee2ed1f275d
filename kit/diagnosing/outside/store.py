"""The interface of every kind of database here: read its contents, and restore them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from kit.diagnosing.outside.contents import Contents

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
