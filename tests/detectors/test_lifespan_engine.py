"""A lifespan that opens a database, or puts its own engine in the place of the tests', is told with its line."""

from __future__ import annotations

from dataclasses import replace

from kit.evidence.model import AppParts, Callable, Evidence, Held, Name
from tests.analysis.seen_runs import found, leak


def messages(evidence: Evidence) -> list[tuple[str, str]]:
    """Where a lifespan is named, and what is said of it."""
    return [(one.where, one.message) for one in found(evidence) if one.kind == "lifespan-engine"]


def test_a_database_that_a_lifespan_opens_is_told_with_the_line() -> None:
    """No override is looked up there, so that the line that opens it is the one to change."""
    evidence = leak()
    opened = tuple(replace(use, stage="lifespan", request="r1") for use in evidence.uses)
    ((where, said),) = messages(replace(evidence, uses=opened))
    assert where == "app/db.py:9"
    assert said.startswith("prod.db was opened by the lifespan of the application (app/db.py:9")


def test_an_engine_that_a_lifespan_makes_is_told_with_the_line() -> None:
    """An engine of a middleware, which is made at the same time, is another thing; so is one of the module's."""
    evidence = leak()
    made = replace(evidence.engines[0], stage="lifespan")
    ((where, said),) = messages(replace(evidence, engines=(made,)))
    assert where == "app/db.py:5"
    assert "engine of prod.db made by the lifespan (app/db.py:5), which runs when the client is entered" in said
    assert messages(evidence) == []


def test_a_lifespan_that_puts_an_older_engine_in_the_place_of_the_tests_is_told_by_its_own_line() -> None:
    """The engine was made at import: what is to be changed is the lifespan that uses it."""
    rebound = Name(
        at_s=8.0, op="rebound", stage="lifespan", module="app state", name="state.engine",
        test="tests/test_it.py::test_it", holds=Held(type="Engine", object="o1", engine="e1"),
        held_before=Held(type="Engine", object="o2", engine="e2"),
    )  # fmt: skip
    evidence = replace(leak(), names=(rebound,))
    ((where, said),) = messages(evidence)
    assert where == "app/db.py:5"
    assert "app.state.engine that tests/test_it.py::test_it had set was overwritten by the lifespan" in said
    lifespan = Callable(callable="d1", name="app.main.lifespan", file="app/main.py", line=12, type="function")
    parts = AppParts(app="a1", lifespan="d1")
    ((where, said),) = messages(replace(evidence, callables=(lifespan,), app_parts=(parts,)))
    assert where == "app/main.py:12"
    assert "the lifespan (app/main.py:12) uses the engine of prod.db" in said
