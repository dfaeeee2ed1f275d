"""Who opened a leak: the line that is named, and the way by which it was gone."""

from __future__ import annotations

from dataclasses import replace

from kit.analysis.reach import reaches
from kit.evidence.model import Callable, Dependencies, Frame, Held, Name, Override
from tests.analysis.seen_runs import ENGINE_AT, OPENED_AT, found, leak

PASSED_ON, ABOVE = Frame("app/web.py", 20, "Middleware.__call__"), Frame("app/web.py", 31, "Outer.__call__")
BY_POOL = Frame("site-packages/asyncpg/pool.py", 655, "connect")


def test_a_pool_that_connects_by_itself_is_opened_where_it_was_made() -> None:
    """In a task of the pool's own no code of the project runs: the line that made the pool answers for it."""
    evidence = leak()
    evidence = replace(
        evidence,
        stacks=(*evidence.stacks, (BY_POOL,)),
        connections=tuple(replace(one, stack=len(evidence.stacks)) for one in evidence.connections),
        uses=(),
    )
    (reach,) = reaches(evidence, "/project")
    assert reach.opener == ENGINE_AT
    assert reach.engine == evidence.engines[0]


def test_only_what_can_be_overridden_is_called_directly() -> None:
    """A middleware that calls the next is no dependency that was called past its override."""
    evidence = leak()
    stack = len(evidence.stacks)
    called = Callable(callable="d1", name="app.web.Middleware", file="app/web.py", line=18, type="class")
    evidence = replace(
        evidence,
        stacks=(*evidence.stacks, (OPENED_AT, PASSED_ON, ABOVE)),
        sessions=tuple(replace(one, stack=stack) for one in evidence.sessions),
        uses=tuple(replace(one, request="r1", inside="endpoint") for one in evidence.uses),
        callables=(called,),
    )
    declared = Dependencies(at_s=8.0, request="r1", consulted=True, provider="a1", supplied_by=(("d1", None),))
    overridden = Override(at_s=7.0, op="set", key="d1", app="a1", by=None)
    assert [reach.how for reach in reaches(evidence, "/project")] == ["without a dependency"]
    for known in (replace(evidence, dependencies=(declared,)), replace(evidence, overrides=(overridden,))):
        assert [reach.how for reach in reaches(known, "/project")] == ["direct call"]


def test_a_dependency_that_calls_another_directly_goes_past_its_override() -> None:
    """What FastAPI supplies may call the function that has an override: that call is the way."""
    evidence = leak()
    stack = len(evidence.stacks)
    repository = Callable(callable="d1", name="app.main.Repo", file="app/main.py", line=8, type="class")
    get_db = Callable(callable="d2", name="app.db.get_db", file="app/db.py", line=7, type="function")
    caller = Frame("app/main.py", 10, "Repo.__init__")
    evidence = replace(
        evidence,
        stacks=(*evidence.stacks, (OPENED_AT, caller)),
        sessions=tuple(replace(one, stack=stack) for one in evidence.sessions),
        uses=tuple(replace(one, request="r1", dependency="d1") for one in evidence.uses),
        callables=(repository, get_db),
    )
    assert [reach.how for reach in reaches(evidence, "/project")] == ["dependency"]
    overridden = replace(evidence, overrides=(Override(at_s=7.0, op="set", key="d2", app="a1", by="d3"),))
    assert [reach.how for reach in reaches(overridden, "/project")] == ["direct call"]
    (finding,) = found(overridden)
    assert (finding.kind, finding.where) == ("dependency-called-directly", "app/main.py:10")
    assert finding.about.callable == "app.db.get_db"


def test_an_engine_that_is_kept_from_an_earlier_test_is_told_so() -> None:
    """What a later test changes comes too late for it: who keeps it is named."""
    held = Name(
        at_s=6.0, op="held", module="app.container", name="container.engine", test="t.py::first",
        holds=Held(object="o1", type="sqlalchemy.engine.base.Engine", engine="e1"),
    )  # fmt: skip
    (finding,) = found(replace(leak(test="t.py::first"), names=(held,)))
    assert "made in t.py::first, and kept by app.container.container.engine for the tests after" in finding.message
    (finding,) = found(replace(leak(test="tests/test_it.py::test_it"), names=(held,)))
    assert "is kept" not in finding.message
