"""The number of sites in a pair's databases, as their servers count them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kit.pair.connect import connect
from kit.pair.model import Pair
from kit.pair.slots import Slot

if TYPE_CHECKING:
    import psycopg


def count_sites(pair: Pair) -> dict[str, int | None]:
    """The number of sites on each side, None without a table. Raises PairError when a server does not answer."""
    if isinstance(pair, Slot):
        return {keeper.side.name: keeper.ask(_count) for keeper in pair.keepers}
    found: dict[str, int | None] = {}
    for side in pair.sides:
        with connect(side.url()) as connection:
            found[side.name] = _count(connection)
    return found


def _count(connection: psycopg.Connection[tuple[Any, ...]]) -> int | None:
    if connection.execute("select to_regclass('public.sites')").fetchone() == (None,):
        return None
    row = connection.execute("select count(*) from public.sites").fetchone()
    assert row is not None  # an aggregate always gives one row
    return int(row[0])
