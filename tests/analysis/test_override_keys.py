"""A key that matches nothing is told with the object that it should have been, by a name that leads there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.analysis.overrides import Key, Mismatch, keys
from kit.detectors.overrides.shared import advice
from kit.evidence.model import (
    Callable,
    Dependencies,
    Evidence,
    Frame,
    Graph,
    Module,
    Override,
    OverrideCheck,
    Route,
)
from tests.analysis.seen_runs import BY_TESTS, found, leak

STACKS = ((Frame("tests/conftest.py", 9, "client"),), (Frame("tests/test_config.py", 3, "test_config"),))


def key(known: Callable, twin: Callable, known_as: tuple[tuple[str, str], ...] = (), *, reloaded: bool = False) -> Key:
    """What is said of a key, where the application depends on `twin`."""
    module = Module(at_s=0.5, stack=1, file="app/db.py", name="app.db", times=2, reloaded=True, names=("app.db",))
    (found,) = keys(Evidence(
        stacks=STACKS,
        callables=(known, twin),
        modules=(module,) if reloaded else (),
        overrides=(Override(at_s=1.0, stack=0, op="set", app="a1", key="d1", by="d3"),),
        override_checks=(OverrideCheck(at_s=1.1, app="a1", matched=(), missed=("d1",), known_as=known_as),),
        dependencies=(Dependencies(at_s=1.2, consulted=True, provider="a1", supplied_by=(("d2", None),)),),
    ))  # fmt: skip
    return found


def called(number: int, name: str, type: str = "function", **fields: str) -> Callable:
    """A callable of app/db.py."""
    return Callable(callable=f"d{number}", name=name, file="app/db.py", line=4, type=type, **fields)


@pytest.mark.parametrize(
    ("type", "name", "why"),
    [
        ("function", "app.db.session_for.<locals>.get", "each call of session_for() makes a new function"),
        ("method", "app.db.Database.session", "the same method of another Database is a different key"),
        ("partial", "app.db.session", "each partial is a different key"),
        ("instance", "app.db.Sessions", "each instance is a different key"),
    ],
)
def test_another_object_of_the_same_text_is_no_reloaded_one(type: str, name: str, why: str) -> None:
    """What can be made more than once is told as such, with the global that holds the one which is depended on."""
    found = key(called(1, name, type), called(2, name, type), (("d2", "app.main.get_main"),))
    assert (found.mismatch, found.nearest) == (Mismatch.OTHER_OBJECT, "app.main.get_main")
    assert found.why == f"The application depends on `app.main.get_main`, which is another object: {why}."


def test_an_object_from_before_a_reload_is_told_with_who_reloaded() -> None:
    """A module that was executed again is named with the line that had it done."""
    found = key(called(1, "app.db.get_db"), called(2, "app.db.get_db"), reloaded=True)
    assert found.mismatch is Mismatch.STALE
    assert (found.why or "").endswith("tests/test_config.py:3 caused this: app/db.py reloaded (execution 2).")


def test_an_alias_as_key_is_told_by_its_own_name() -> None:
    """An Annotated alias is no key; its global's name is what a person knows it by."""
    alias = called(1, "typing.Annotated[Session, Depends(app.db.get_db)]", "annotated", inner="d2")
    found = key(alias, called(2, "app.db.get_db"), (("d1", "app.db.Db"),))
    assert (found.name, found.nearest) == ("app.db.Db", "app.db.get_db")
    assert "an Annotated alias" in (found.why or "")


def test_a_partial_in_depends_is_told_with_the_route_that_has_it() -> None:
    """Inline in a route it has no name to import: the route's line says where it is, and the advice asks for a name."""
    known = called(1, "app.db.get_db")
    twin = called(2, "app.db.get_db", "partial", inner="d1")
    route = Callable(callable="d4", name="app.main.orders", file="app/main.py", line=8, type="function")
    evidence = replace(
        leak(),
        callables=(known, twin, route),
        graphs=(Graph(app="a1", routes=(Route(path="/orders", endpoint="d4", consulted=True, calls=("d2",)),)),),
        overrides=(Override(at_s=1.0, stack=BY_TESTS, op="set", app="a1", key="d1", by="d3"),),
        override_checks=(OverrideCheck(at_s=1.1, app="a1", matched=(), missed=("d1",)),),
    )
    finding = next(one for one in found(evidence) if one.kind == "override-key-unmatched")
    assert "(a functools.partial), and the key is that function itself" in finding.message
    said = [(one.what, one.file, one.line) for one in finding.evidence]
    assert ("app.main.orders depends on it", "app/main.py", 8) in said
    assert "give it a name" in advice(finding)
