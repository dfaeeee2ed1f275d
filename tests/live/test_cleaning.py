"""Ways to clean a database, on a live server: what each leaves to the next test."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
from psycopg import Connection

from kit.errors import PairError
from kit.pair import Pair
from kit.pair.connect import connect
from kit.trials import cleaning
from kit.trials.cleaning import WAYS, Cost, measure, try_join_modes


class Measured(NamedTuple):
    """The costs by way, and the names of the databases that were made for them."""

    costs: dict[str, Cost]
    databases: list[str]


@pytest.fixture(scope="module")
def measured(pair: Pair) -> Measured:
    """A measurement of all ways. Other tests can make databases on these servers at the same time."""
    create, made = cleaning.create_database, []

    def noting(admin: Connection, name: str, template: str) -> None:
        made.append(name)
        create(admin, name, template)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaning, "create_database", noting)
        return Measured({cost.way: cost for cost in measure(pair, rounds=1, seed=1)}, made)


@pytest.fixture(scope="module")
def costs(measured: Measured) -> dict[str, Cost]:
    return measured.costs


def test_every_way_is_measured_and_takes_time(costs: dict[str, Cost]) -> None:
    """Each way has a median of its own, more than nothing."""
    assert set(costs) == set(WAYS)
    assert all(cost.median_ms > 0 for cost in costs.values())


def test_no_way_leaves_the_test_s_own_rows(costs: dict[str, Cost]) -> None:
    """What the test itself wrote is gone for the next test, whatever the way."""
    assert {cost.own_rows for cost in costs.values()} == {0}


def test_only_a_rollback_leaves_what_somebody_else_committed(costs: dict[str, Cost]) -> None:
    """A row that another connection committed outlives the rollback of the test's transaction, and no other way."""
    assert [way for way, cost in costs.items() if cost.other_rows] == ["rollback"]


def test_rollback_and_delete_do_not_bring_numbers_back(costs: dict[str, Cost]) -> None:
    """A sequence goes on after a rollback and after DELETE, and begins anew otherwise."""
    assert [way for way, cost in costs.items() if not cost.counts_anew] == ["rollback", "delete"]


def test_nothing_is_left_on_the_server(pair: Pair, measured: Measured) -> None:
    """Databases that were made for a measurement are dropped, and the pair's own table is untouched."""
    assert measured.databases
    assert pair.test.admin is not None
    with connect(pair.test.admin) as connection:
        found = {name for (name,) in connection.execute("select datname from pg_database").fetchall()}
    assert found.isdisjoint(measured.databases)
    with connect(pair.test.url()) as connection:
        assert connection.execute("select count(*) from sites").fetchone() == (0,)


def test_servers_that_are_not_the_kit_s_are_left_alone(pair: Pair) -> None:
    """Nothing is measured where the kit may not make databases."""
    with pytest.raises(PairError, match="not a server on which the kit may create databases"):
        measure(replace(pair, writable=False), rounds=1)


def test_only_create_savepoint_keeps_both_promises(pair: Pair) -> None:
    """With it a route's rollback spares the fixture's row, and its commit leaves nothing; no other mode does both."""
    found = {(one.mode, one.ending): (one.seen, one.left) for one in try_join_modes(pair)}
    assert found == {
        ("create_savepoint", "commit"): (2, 0), ("create_savepoint", "rollback"): (1, 0),
        ("conditional_savepoint", "commit"): (2, 0), ("conditional_savepoint", "rollback"): (0, 0),
        ("rollback_only", "commit"): (2, 0), ("rollback_only", "rollback"): (0, 0),
        ("control_fully", "commit"): (2, 2), ("control_fully", "rollback"): (0, 0),
    }
