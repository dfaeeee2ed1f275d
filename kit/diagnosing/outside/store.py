"""What every kind of database offers here: reading its contents, and restoring them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from kit.diagnosing.outside.contents import Contents

ROWS_AT_MOST = 20_000  # of one table that are kept
BYTES_AT_MOST = 32_000_000  # of one database that are looked at
SECONDS_AT_MOST = 20


class CannotBeAsked(Exception):
    """A database did not answer, or does not let this be done; says why in one line."""


class Store(Protocol):
    """One database. Each method raises CannotBeAsked."""

    def look(self) -> Contents:
        """Return what is committed in it."""

    def put_back(self, before: Contents, labels: Collection[str] | None) -> None:
        """Let what has these labels be as before, and nothing else; None: everything."""
