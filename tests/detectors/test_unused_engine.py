"""An engine of the tests is called unused only where nothing was ever asked through it."""

from __future__ import annotations

from dataclasses import replace

from kit.evidence.model import Connection, Engine, Evidence, Use
from tests.analysis.seen_runs import BY_TESTS, TEST, found, leak


def with_an_engine_of_the_tests(*, used: bool) -> Evidence:
    """The run in which production answered, with an engine of the tests' own; its pool's connection names no engine."""
    seen = leak()
    engine = Engine(
        at_s=2.0, stack=BY_TESTS, engine="e2", url=f"sqlite:///{TEST}", dialect="sqlite", driver="pysqlite",
        pool="QueuePool",
    )  # fmt: skip
    connection = Connection(
        at_s=2.5, stack=BY_TESTS, connection="c2", driver="sqlite3", configured=TEST, observed={"file": TEST},
        pooled=True,
    )  # fmt: skip
    use = Use(at_s=3.0, stack=BY_TESTS, connection="c2", engine="e2", verb="create", tables=("sites",))
    return replace(
        seen,
        engines=(*seen.engines, engine),
        connections=(*seen.connections, connection) if used else seen.connections,
        uses=(*seen.uses, use) if used else seen.uses,
    )


def test_an_engine_that_nothing_uses_is_told() -> None:
    """The tests make an engine, nothing is asked through it, and the application's answers."""
    assert "engine-not-used" in {finding.kind for finding in found(with_an_engine_of_the_tests(used=False))}


def test_an_engine_whose_pool_connected_is_not_called_unused() -> None:
    """What was asked through an engine shows that it was used, though its pool's connection does not name it."""
    assert "engine-not-used" not in {finding.kind for finding in found(with_an_engine_of_the_tests(used=True))}
