"""A driver is one adapter: what else must know the drivers reads it from there."""

from __future__ import annotations

import tempfile

import pytest

from kit.probes.drivers import ADAPTERS, INNER, PACKAGES
from kit.probes.drivers.base import Adapter
from kit.probes.drivers.unprobed import UnprobedDrivers
from kit.trials.worker import freshness


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_each_adapter_says_what_it_is(adapter: type[Adapter]) -> None:
    """Each has a name of its own, its packages and its connections' classes; what opens a server is in a package."""
    assert [other.name for other in ADAPTERS].count(adapter.name) == 1
    assert adapter.connections or adapter is UnprobedDrivers
    assert {opener.module.partition(".")[0] for opener in adapter.openers} <= set(adapter.packages)


def test_the_worker_is_told_of_every_connection() -> None:
    """The parent of trials has no list of drivers: an object of any class that it is told of stands against a fork."""
    expected = freshness.Expected(tempfile.gettempdir(), ((__name__, "OfADriver"),))
    kept = OfADriver()
    assert f"there is a connection: {__name__}.OfADriver" in list(freshness._objects(expected))
    del kept


class OfADriver:
    """What a driver would give a program."""


def test_what_holds_another_drivers_connection_is_of_a_package() -> None:
    """A connection that stands for another driver's is known by a package of its own adapter."""
    assert {package for adapter in ADAPTERS for package, _ in adapter.inner} <= set(PACKAGES)
    assert INNER == {"aiosqlite": "_connection"}
