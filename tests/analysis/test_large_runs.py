"""A run of many tests: the work for each of them does not grow with their number."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

from kit.analysis.databases import Allowed
from kit.answer.model import answer
from kit.evidence.model import Callable as Known
from kit.evidence.model import Connection, Evidence, Outcome, Override, Use
from tests.analysis.seen_runs import BY_TESTS, TEST, leak

FEW, TIMES = 50, 4
GROWTH_AT_MOST = 1.2  # of the work for one test; sorting alone grows with the logarithm


def run_of(number: int) -> Evidence:
    """A run in which each test sets an override, reaches production through it, and removes it."""
    one = leak()
    (connection,), (use,) = one.connections, one.uses
    connections, uses, overrides, outcomes = list[Connection](), list[Use](), list[Override](), list[Outcome]()
    for at in range(number):
        test = f"tests/test_it.py::test_{at}"
        name, at_s = f"c{at}", 10.0 + at
        of: dict[str, Any] = {"connection": name, "at_s": at_s, "test": test}
        connections.append(replace(connection, **of))
        uses.append(replace(use, **of, request=f"r{at}", dependency="d1", override="d2"))
        for op, when_s, by in (("set", at_s - 0.1, "d2"), ("removed", at_s + 0.1, None)):
            overrides.append(Override(at_s=when_s, stack=BY_TESTS, test=test, op=op, app="a1", key="d1", by=by))
        outcomes.append(Outcome(test=test, when="call", outcome="passed", at_s=at_s))
    known = Known(callable="d1", name="app.db.get_db", file="app/db.py", line=9)
    return replace(
        one, connections=tuple(connections), uses=tuple(uses), overrides=tuple(overrides), outcomes=tuple(outcomes),
        callables=(known, replace(known, callable="d2", name="tests.conftest.override", file="tests/conftest.py")),
    )  # fmt: skip


def work(of: Callable[[], object]) -> int:
    """The number of instructions of the interpreter, which no other load of the machine changes."""
    count = 0

    def traced(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return traced

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        of()
    finally:
        sys.settrace(before)
    return count


def test_each_test_takes_the_same_work_in_a_large_run() -> None:
    """Four times as many tests, each with an override of its own, take four times as many instructions."""
    rule = Allowed((TEST,), "/project")
    few, many = (run_of(FEW * times) for times in (1, TIMES))
    assert len(answer(many, rule).reached) == FEW * TIMES
    grown = work(lambda: answer(many, rule)) / TIMES / work(lambda: answer(few, rule))
    assert grown < GROWTH_AT_MOST
