"""A database in memory is another one for each connection: told where a test failed on the wrong one, only there."""

from __future__ import annotations

import pytest

from kit.analysis.databases import Allowed
from kit.analysis.reach import reaches
from kit.detectors.detection import findings
from kit.detectors.engines import memory_database_each
from kit.evidence.model import Connection, Engine, Evidence, Frame, Outcome, Use

STACKS = ((Frame("tests/conftest.py", 5, "client"),), (Frame("app/main.py", 9, "items"),))


def kinds(outcome: str, second: str = "c2", configured: str = ":memory:") -> list[str]:
    """What is found where tables were made on one connection, and `second` was asked for rows."""
    test = "tests/test_it.py::test_it"
    evidence = Evidence(
        stacks=STACKS,
        engines=(Engine(
            at_s=1.0, stack=0, engine="e1", url="sqlite://", dialect="sqlite", driver="pysqlite",
            pool="SingletonThreadPool",
        ),),
        connections=tuple(
            Connection(at_s=2.0, connection=name, driver="sqlite3", configured=configured, observed={"file": None})
            for name in ("c1", "c2")
        ),
        uses=(
            Use(at_s=3.0, stack=0, connection="c1", engine="e1", writes=True, verb="create", tables=("t",), test=test),
            Use(at_s=4.0, stack=1, connection=second, engine="e1", verb="select", tables=("t",), test=test),
        ),
        outcomes=(Outcome(test=test, when="call", outcome=outcome, at_s=5.0),),
    )  # fmt: skip
    return [finding.kind for finding in findings(evidence, reaches(evidence), Allowed())]


def test_another_connection_is_another_database() -> None:
    """The engine is named where a test failed on a connection that nobody had made tables on."""
    assert kinds("failed") == ["memory-database-each"]


def test_one_connection_for_all_and_a_shared_cache_are_in_order() -> None:
    """Nothing is said of one connection, of a database that connections share, or where nothing failed."""
    assert kinds("failed", "c1") == []
    assert kinds("failed", configured="file:it?mode=memory&cache=shared") == []
    assert kinds("passed") == []


def test_each_connection_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that makes an engine for each test has as many of them as connections."""
    looked_at: list[Connection] = []
    monkeypatch.setattr(memory_database_each, "_is_private", lambda connection: looked_at.append(connection) or False)
    engines = tuple(
        Engine(at_s=1.0, engine=f"e{number}", url="sqlite://", dialect="sqlite", driver="pysqlite", pool="StaticPool")
        for number in range(20)
    )
    connections = tuple(
        Connection(at_s=2.0, connection=engine.engine, driver="sqlite3", configured=":memory:", observed={"file": None})
        for engine in engines
    )
    evidence = Evidence(engines=engines, connections=connections)
    findings(evidence, reaches(evidence), Allowed())
    assert looked_at == list(connections)
