"""A driver is one adapter: what else must know the drivers reads it from there."""

from __future__ import annotations

import pytest

from kit.probes.drivers import ADAPTERS, CONNECTIONS, POOLS
from kit.probes.drivers.base import Adapter
from kit.probes.drivers.unprobed import UnprobedDrivers
from kit.worker import freshness


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_each_adapter_says_what_it_is(adapter: type[Adapter]) -> None:
    """Each has a name of its own, its packages and its connections' classes; what opens a server is in a package."""
    assert [other.name for other in ADAPTERS].count(adapter.name) == 1
    assert adapter.connections or adapter is UnprobedDrivers
    assert {opener.module.partition(".")[0] for opener in adapter.openers} <= set(adapter.packages)


def test_the_worker_looks_for_every_connection() -> None:
    """The worker has nothing of the kit's, and a list of its own: it names each class of every adapter."""
    named = {kind for kinds in freshness._MADE_BY_APPLICATIONS.values() for kind in kinds}
    assert {*CONNECTIONS, *POOLS} <= named
