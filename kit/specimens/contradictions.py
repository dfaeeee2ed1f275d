"""Pairs of mechanisms, variants and attempts that cannot be combined, each with the reason. All others can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from types import MappingProxyType

from kit.errors import TrialError

_MOMENTS = "each sets the test database, at a moment of its own, and a suite sets it once"
_EVENTS = "FastAPI calls no start-up event of an application that has a lifespan"
_LAZY = "each makes the engine on first use, in a place of its own, and there is one engine"
_FIRST = "the attempt uses the application in the conftest, which then is imported before any test module"

CONTRADICTIONS: Mapping[frozenset[str], str] = MappingProxyType(
    {
        frozenset(pair): reason
        for reason, pairs in {
            _MOMENTS: [
                ("early_import", "configured_in_fixture"),
                ("early_import", "configured_first"),
                ("configured_in_fixture", "configured_first"),
            ],
            _EVENTS: [
                ("startup_event", lifespan) for lifespan in ("lifespan_reads", "startup_work", "lifespan_engine")
            ],
            _LAZY: [("lazy_factory", lazy) for lazy in ("lazy_engine", "lifespan_engine", "suite_variable")],
            "pool_recycle has one value": [("recycle_hourly", "recycle_always")],
            "where no conftest is loaded, no plugin comes before it": [("conftest_not_loaded", "plugin_first")],
            _FIRST: [
                ("module_first", attempt)
                for attempt in (
                    "dependency_override", "fastapi_deps", "module_mocking", "fresh_app", "persistent_session",
                    "real_fix",
                )
            ],
        }.items()
        for pair in pairs
    }
)
"""The reason for each pair of mechanisms, variants and attempts that are refused together."""


def refuse_contradictions(names: Iterable[str]) -> None:
    """Raise TrialError if two of these mechanisms, variants and attempts contradict each other."""
    for one, other in combinations(sorted(set(names)), 2):
        reason = CONTRADICTIONS.get(frozenset((one, other)))
        if reason is not None:
            raise TrialError(f"{one} and {other} contradict each other: {reason}", remedy="leave one of them out")
