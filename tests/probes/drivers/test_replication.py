"""A connection that copies a whole server reaches all of its databases."""

from __future__ import annotations

import pytest

from kit.probes.allow import AllowList
from kit.probes.drivers.asking import database_of, postgres_place


@pytest.mark.parametrize(
    ("replication", "is_allowed"),
    [("true", False), ("on", False), ("YES", False), ("1", False), ("database", True), ("false", True), (None, True)],
)
def test_a_copy_of_a_whole_server_is_judged_as_all_its_databases(replication: str | None, is_allowed: bool) -> None:
    """Physical replication is not allowed by one database's entry, as logical replication is."""
    place = postgres_place(("db", "5432"), "me", database_of("shop", replication))
    assert AllowList(("db:5432/shop",), "/").allows_server(place, None) == is_allowed
    assert AllowList(("db:5432/*",), "/").allows_server(place, None)
